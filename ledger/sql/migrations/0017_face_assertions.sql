-- A statement of the face provider is good for one claim, whichever process gets it.

CREATE TABLE ledger.face_assertions (
    assertion_digest bytea NOT NULL CHECK (octet_length(assertion_digest) = 32),
    request_digest bytea NOT NULL CHECK (octet_length(request_digest) = 32),
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT face_assertions_digest PRIMARY KEY (assertion_digest)
);
CREATE INDEX face_assertions_by_use ON ledger.face_assertions (used_at);
COMMENT ON TABLE ledger.face_assertions IS
    'assertions of the face provider that were used, for as long as they could be sent again';
COMMENT ON COLUMN ledger.face_assertions.assertion_digest IS 'SHA-256 of its issuer and jti';
COMMENT ON COLUMN ledger.face_assertions.request_digest IS
    'SHA-256 of the request''s idempotency key and body: a retry of it may use the assertion again';

GRANT SELECT, INSERT, DELETE, UPDATE (used_at) ON ledger.face_assertions TO permit_ledger_service;
