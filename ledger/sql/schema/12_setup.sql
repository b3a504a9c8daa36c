-- What a start of the service compares or reads.

-- A value made with each key that is kept outside the database, to notice another key.
CREATE TABLE ledger.key_checks (
    key_name text PRIMARY KEY,
    check_value bytea NOT NULL
);
GRANT SELECT, INSERT ON ledger.key_checks TO permit_ledger_service;

-- Development only: how far the service's clock is ahead of the machine's.
CREATE TABLE ledger.clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ahead interval NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON ledger.clock TO permit_ledger_service;
