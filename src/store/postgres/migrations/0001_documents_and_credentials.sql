-- Ids, names and numbers are compared byte by byte (COLLATE "C"): a page's order does not depend on
-- the language of the database, and every index serves it.

CREATE TABLE documents (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    account_id TEXT   COLLATE "C" NOT NULL,
    revision   TEXT   COLLATE "C" NOT NULL,
    created    BIGINT NOT NULL, -- Gregorian seconds
    modified   BIGINT NOT NULL, -- Gregorian seconds
    name       TEXT   COLLATE "C",
    owner_id   TEXT   COLLATE "C",
    text       TEXT   COLLATE "C" NOT NULL -- the JSON, byte for byte: JSONB would lose order and digits
);

-- A page is read from one of these in order of ids, whatever is filtered.
CREATE UNIQUE INDEX documents_by_account ON documents (account_id, id);
CREATE INDEX documents_by_name ON documents (account_id, name, id);
CREATE INDEX documents_by_owner ON documents (account_id, owner_id, id);

-- A number is used once per account: the primary key is what decides it.
CREATE TABLE numbers (
    account_id  TEXT COLLATE "C" NOT NULL,
    number      TEXT COLLATE "C" NOT NULL,
    document_id TEXT COLLATE "C" NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    role        TEXT NOT NULL CHECK (role IN ('conference', 'member', 'moderator')),
    PRIMARY KEY (account_id, number)
);

CREATE INDEX numbers_by_document ON numbers (document_id);

CREATE TABLE credentials (
    id         TEXT   COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('token', 'api_key')),
    hash       BYTEA  NOT NULL UNIQUE CHECK (length(hash) = 32),
    name       TEXT   NOT NULL,
    account_id TEXT   COLLATE "C",   -- NULL: all accounts
    scopes     TEXT   NOT NULL,
    issued_by  TEXT   COLLATE "C" REFERENCES credentials (id) ON DELETE CASCADE,
    created    BIGINT NOT NULL, -- these times are Unix seconds
    expires    BIGINT,
    last_used  BIGINT,
    revoked    BIGINT
);

CREATE INDEX credentials_issued ON credentials (issued_by, expires) WHERE issued_by IS NOT NULL;
