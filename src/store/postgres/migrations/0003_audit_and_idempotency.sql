-- Who did what. Rows are added, and deleted when they are old; none is ever changed.
CREATE TABLE audit (
    id             BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             BIGINT NOT NULL, -- Unix milliseconds
    account_id     TEXT   COLLATE "C" NOT NULL,
    conference_id  TEXT   COLLATE "C" NOT NULL,
    request_id     TEXT   NOT NULL,
    token_id       TEXT   NOT NULL,
    token_name     TEXT   NOT NULL,
    client         TEXT   NOT NULL,
    action         TEXT   COLLATE "C" NOT NULL,
    arguments      TEXT   NOT NULL, -- JSON as it was sent, or the beginning of it
    participant_id BIGINT,
    call_id        TEXT   COLLATE "C",
    node           TEXT   NOT NULL,
    result         TEXT   NOT NULL,
    reason         TEXT
);

-- A page is read from one of these, from its end on.
CREATE INDEX audit_by_conference ON audit (account_id, conference_id, at, id);
CREATE INDEX audit_by_call ON audit (account_id, conference_id, call_id, at, id) WHERE call_id IS NOT NULL;
-- What is old is found by this.
CREATE INDEX audit_by_time ON audit (at);

-- The answers that are given again to a request with the same Idempotency-Key.
CREATE TABLE idempotency_keys (
    account_id TEXT   COLLATE "C" NOT NULL, -- of the credential; '' for one of all accounts
    credential TEXT   COLLATE "C" NOT NULL,
    key        TEXT   COLLATE "C" NOT NULL,
    request    BYTEA  NOT NULL CHECK (length(request) = 32), -- SHA-256 of what was asked
    claim      TEXT   COLLATE "C" NOT NULL, -- by whom the key was taken
    began      BIGINT NOT NULL, -- Unix milliseconds
    answer     TEXT,            -- JSON; NULL until there is one
    PRIMARY KEY (account_id, credential, key)
);

CREATE INDEX idempotency_keys_by_time ON idempotency_keys (began);
