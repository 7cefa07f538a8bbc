-- 'conv': by this another program's database is told from one of ours.
PRAGMA application_id = 1668247158;

CREATE TABLE documents (
    id         TEXT    NOT NULL PRIMARY KEY,
    account_id TEXT    NOT NULL,
    revision   TEXT    NOT NULL,
    created    INTEGER NOT NULL, -- Gregorian seconds
    modified   INTEGER NOT NULL, -- Gregorian seconds
    name       TEXT,
    owner_id   TEXT,
    text       TEXT    NOT NULL  -- the JSON, byte for byte
) STRICT;

-- A page is read from one of these in order of ids, whatever is filtered.
CREATE UNIQUE INDEX documents_by_account ON documents (account_id, id);
CREATE INDEX documents_by_name ON documents (account_id, name, id);
CREATE INDEX documents_by_owner ON documents (account_id, owner_id, id);

-- A number is used once per account: the primary key is what decides it.
CREATE TABLE numbers (
    account_id  TEXT NOT NULL,
    number      TEXT NOT NULL,
    document_id TEXT NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    role        TEXT NOT NULL CHECK (role IN ('conference', 'member', 'moderator')),
    PRIMARY KEY (account_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX numbers_by_document ON numbers (document_id);

CREATE TABLE credentials (
    id         TEXT    NOT NULL PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('token', 'api_key')),
    hash       BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    name       TEXT    NOT NULL,
    account_id TEXT,             -- NULL: all accounts
    scopes     TEXT    NOT NULL,
    issued_by  TEXT REFERENCES credentials (id) ON DELETE CASCADE,
    created    INTEGER NOT NULL, -- these times are Unix seconds
    expires    INTEGER,
    last_used  INTEGER,
    revoked    INTEGER
) STRICT;

CREATE INDEX credentials_issued ON credentials (issued_by, expires) WHERE issued_by IS NOT NULL;
