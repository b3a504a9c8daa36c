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

-- Whose tokens the service believes: a database that has served one issuer serves no other, and none,
-- unless its owner says so.
CREATE TABLE ledger.issuer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name text NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN ledger.issuer.name IS '`iss` of the tokens that are believed';
GRANT SELECT ON ledger.issuer TO permit_ledger_service;

-- Remember the first issuer; returns the one that is remembered.
CREATE FUNCTION ledger.remember_issuer(first_issuer text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.issuer (name) VALUES (first_issuer) ON CONFLICT DO NOTHING;
    RETURN (SELECT name FROM ledger.issuer);
END
$$;
REVOKE ALL ON FUNCTION ledger.remember_issuer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.remember_issuer TO permit_ledger_service;
