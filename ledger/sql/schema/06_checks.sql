-- The log of checks: positions 1, 2, 3 … in commit order, rows only added.

-- The instant, if it can be a caller's present one; otherwise an error. A row of evidence is dated by its
-- caller, whose clock may differ a little from the server's. In development mode, and until an issuer is
-- remembered, the service's clock may be set to another day: then any day that every program can read.
CREATE FUNCTION ledger.require_present("at" timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF ("at" BETWEEN now() - interval '10 minutes' AND now() + interval '10 minutes'
        OR "at" BETWEEN '1970-01-01 00:00+00' AND '2969-12-31 00:00+00' AND NOT EXISTS (
            SELECT FROM ledger.issuer WHERE name <> 'permit-ledger-development')) IS NOT TRUE THEN
        RAISE EXCEPTION 'the instant % is not within ten minutes of the server''s clock', "at"
            USING ERRCODE = 'datetime_field_overflow';
    END IF;
    RETURN "at";
END
$$;
REVOKE ALL ON FUNCTION ledger.require_present FROM PUBLIC;

-- One row, which every batch of checks locks until it commits, kept and found like ledger.head.
CREATE TABLE ledger.checks_head (
    position bigint NOT NULL CHECK (position >= 0)
);
CREATE UNIQUE INDEX checks_head_position ON ledger.checks_head (position);
INSERT INTO ledger.checks_head (position) VALUES (0);
GRANT SELECT ON ledger.checks_head TO permit_ledger_service;

CREATE FUNCTION ledger.checks_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT checks_head.position FROM ledger.checks_head ORDER BY checks_head.position DESC LIMIT 1;
END;

-- Waits for a batch of checks in progress.
CREATE FUNCTION ledger.settle_checks_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position FROM ledger.checks_head ORDER BY position DESC LIMIT 1 FOR UPDATE;
END;
REVOKE ALL ON FUNCTION ledger.settle_checks_head FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.settle_checks_head TO permit_ledger_service;

CREATE TABLE ledger.checks (
    position bigint NOT NULL CHECK (position > 0),
    check_id uuid NOT NULL,
    checked_at timestamptz NOT NULL,
    permit_number text,
    track text NOT NULL,
    scenario text NOT NULL,
    outcome text NOT NULL,
    reason text,
    verifier_index bytea,
    as_of_position bigint NOT NULL,
    state bytea NOT NULL,
    salt bytea DEFAULT ledger.new_salt() CONSTRAINT checks_salt CHECK (octet_length(salt) = 16),
    CONSTRAINT checks_position PRIMARY KEY (position),
    CONSTRAINT checks_id UNIQUE (check_id)
);
CREATE INDEX checks_of_permit ON ledger.checks (permit_number, position DESC);
CREATE INDEX checks_of_verifier ON ledger.checks (verifier_index, checked_at, position);
COMMENT ON TABLE ledger.checks IS 'every check that was answered, refused ones too';
COMMENT ON COLUMN ledger.checks.position IS 'place among the checks: 1, 2, 3 … in commit order';
COMMENT ON COLUMN ledger.checks.permit_number IS 'of the permit that was asked for, where that could be told';
COMMENT ON COLUMN ledger.checks.verifier_index IS 'keyed digest of the verifier''s account, to find its checks by';
COMMENT ON COLUMN ledger.checks.as_of_position IS 'of the log of events, as the answer saw it';
COMMENT ON COLUMN ledger.checks.state IS
    'the check as JSON (UTF-8, members sorted), its personal part sealed; all columns but the position can be made from it';
GRANT SELECT ON ledger.checks TO permit_ledger_service;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checks
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.checks ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.checks IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';
