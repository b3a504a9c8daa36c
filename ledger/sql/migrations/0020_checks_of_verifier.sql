-- A verifier lists its own checks, from an instant on.
CREATE INDEX checks_of_verifier ON ledger.checks (verifier_index, checked_at, position);
