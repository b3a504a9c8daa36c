-- Sessions of people who have signed in with a browser.

CREATE TABLE ledger.sessions (
    id_digest bytea NOT NULL CHECK (octet_length(id_digest) = 32),
    account_digest bytea NOT NULL CHECK (octet_length(account_digest) = 32),
    provider_session_digest bytea CHECK (octet_length(provider_session_digest) = 32),
    sealed bytea NOT NULL CHECK (octet_length(sealed) <= 32768),
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT sessions_id PRIMARY KEY (id_digest)
);
CREATE INDEX sessions_of_account ON ledger.sessions (account_digest);
CREATE INDEX sessions_by_use ON ledger.sessions (used_at);
COMMENT ON TABLE ledger.sessions IS 'sessions of people who have signed in with a browser';
COMMENT ON COLUMN ledger.sessions.id_digest IS 'SHA-256 of the identifier in the browser''s cookie';
COMMENT ON COLUMN ledger.sessions.account_digest IS
    'keyed digest of the account at its identity provider';
COMMENT ON COLUMN ledger.sessions.provider_session_digest IS
    'keyed digest of the provider''s own session, which it names when it ends it';
COMMENT ON COLUMN ledger.sessions.sealed IS
    'who has signed in and until when; sealed with a key that is not in the database';

GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON ledger.sessions TO permit_ledger_service;
