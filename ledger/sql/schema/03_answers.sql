-- Idempotent responses: what a command with an Idempotency-Key was answered.

CREATE TABLE ledger.answers (
    caller text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    accepted boolean NOT NULL,
    body bytea NOT NULL,
    version integer,
    position bigint,
    answered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT answers_key PRIMARY KEY (caller, key)
);
COMMENT ON COLUMN ledger.answers.fingerprint IS 'keyed digest of the request, to tell a retry from another request';
COMMENT ON COLUMN ledger.answers.key IS 'keyed digest of the caller''s Idempotency-Key';
GRANT SELECT ON ledger.answers TO permit_ledger_service;
