-- Checks become a log of their own: positions 1, 2, 3 … in commit order, rows only added.

-- One row, locked by every batch of checks until it commits, as ledger.head is by appends.
CREATE TABLE ledger.checks_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO ledger.checks_head (position) VALUES (0);

ALTER TABLE ledger.checks RENAME TO checks_before;
ALTER INDEX ledger.checks_pkey RENAME TO checks_before_pkey;
ALTER INDEX ledger.checks_of_permit RENAME TO checks_before_of_permit;

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
    CONSTRAINT checks_position PRIMARY KEY (position),
    CONSTRAINT checks_id UNIQUE (check_id)
);
CREATE INDEX checks_of_permit ON ledger.checks (permit_number, position DESC);
COMMENT ON TABLE ledger.checks IS 'every check that was answered, refused ones too';
COMMENT ON COLUMN ledger.checks.position IS 'place among the checks: 1, 2, 3 … in commit order';
COMMENT ON COLUMN ledger.checks.permit_number IS 'of the permit that was asked for, where that could be told';
COMMENT ON COLUMN ledger.checks.verifier_index IS 'keyed digest of the verifier''s account, to find its checks by';
COMMENT ON COLUMN ledger.checks.as_of_position IS 'of the log of events, as the answer saw it';
COMMENT ON COLUMN ledger.checks.state IS
    'the check as JSON (UTF-8, members sorted), its personal part sealed; all columns but the position can be made from it';

-- What was on record before stays on record, unsealed as it was, in the order of its instants.
INSERT INTO ledger.checks
SELECT row_number() OVER (ORDER BY checked_at, check_id), check_id, checked_at, permit_number, track,
       scenario, outcome, reason, NULL, as_of_position,
       convert_to(json_build_object(
           'as_of_position', as_of_position, 'card_serial', card_serial, 'check_id', check_id,
           'checked_at', to_char(checked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US+00:00'),
           'fields', fields, 'outcome', outcome, 'permit_number', permit_number, 'reason', reason,
           'scenario', scenario, 'track', track, 'type', 'permit.checked.v1', 'verifier', verifier
       )::text, 'UTF8')
FROM ledger.checks_before;
UPDATE ledger.checks_head SET position = (SELECT count(*) FROM ledger.checks);
DROP TABLE ledger.checks_before;

CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: the log is only ever added to',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'A mistake is put right by a further event.';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checks
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.checks ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.checks IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';

GRANT SELECT, INSERT ON ledger.checks TO permit_ledger_service;
GRANT SELECT, UPDATE ON ledger.checks_head TO permit_ledger_service;
