-- Who did what. Rows are added, and deleted when they are old; none is ever changed.
-- AUTOINCREMENT: the number of a row that was deleted is never given again.
CREATE TABLE audit (
    id             INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at             INTEGER NOT NULL, -- Unix milliseconds
    account_id     TEXT    NOT NULL,
    conference_id  TEXT    NOT NULL,
    request_id     TEXT    NOT NULL,
    token_id       TEXT    NOT NULL,
    token_name     TEXT    NOT NULL,
    client         TEXT    NOT NULL,
    action         TEXT    NOT NULL,
    arguments      TEXT    NOT NULL, -- JSON as it was sent, or the beginning of it
    participant_id INTEGER,
    call_id        TEXT,
    node           TEXT    NOT NULL,
    result         TEXT    NOT NULL,
    reason         TEXT
) STRICT;

-- A page is read from one of these, from its end on.
CREATE INDEX audit_by_conference ON audit (account_id, conference_id, at, id);
CREATE INDEX audit_by_call ON audit (account_id, conference_id, call_id, at, id) WHERE call_id IS NOT NULL;
-- What is old is found by this.
CREATE INDEX audit_by_time ON audit (at);

-- The answers that are given again to a request with the same Idempotency-Key.
CREATE TABLE idempotency_keys (
    account_id TEXT    NOT NULL, -- of the credential; '' for one of all accounts
    credential TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    BLOB    NOT NULL CHECK (length(request) = 32), -- SHA-256 of what was asked
    claim      TEXT    NOT NULL, -- by whom the key was taken
    began      INTEGER NOT NULL, -- Unix milliseconds
    answer     TEXT,             -- JSON; NULL until there is one
    PRIMARY KEY (account_id, credential, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (began);
