-- Audit reads: on record before they are answered, refused ones too; rows are only added.

CREATE TABLE ledger.audit_reads (
    position bigint GENERATED ALWAYS AS IDENTITY,
    read_id uuid NOT NULL,
    read_at timestamptz NOT NULL,
    reader text NOT NULL,
    case_number text,
    what text NOT NULL,
    subject text,
    parameters jsonb NOT NULL,
    outcome text NOT NULL,
    correlation_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    salt bytea NOT NULL DEFAULT ledger.new_salt()
        CONSTRAINT audit_reads_salt CHECK (octet_length(salt) = 16),
    entry bigint NOT NULL,
    CONSTRAINT audit_reads_position PRIMARY KEY (position),
    CONSTRAINT audit_reads_id UNIQUE (read_id),
    CONSTRAINT audit_reads_entry UNIQUE (entry)
);
CREATE INDEX audit_reads_of_subject ON ledger.audit_reads (subject, position DESC);
CREATE INDEX audit_reads_of_case ON ledger.audit_reads (case_number, position DESC);
COMMENT ON TABLE ledger.audit_reads IS 'every look into the audit by somebody with a valid token';
COMMENT ON COLUMN ledger.audit_reads.position IS
    'order in which they were recorded; numbers may be missing where a record was given up';
COMMENT ON COLUMN ledger.audit_reads.read_at IS 'when, by the ledger''s clock';
COMMENT ON COLUMN ledger.audit_reads.reader IS 'the subject of the token';
COMMENT ON COLUMN ledger.audit_reads.case_number IS 'in which case, as the token says; NULL where it says none';
COMMENT ON COLUMN ledger.audit_reads.subject IS
    'which stream was looked at, a permit''s number for one; NULL where none was named, or what stood there could be none';
COMMENT ON COLUMN ledger.audit_reads.recorded_at IS 'by the server''s clock';
COMMENT ON COLUMN ledger.audit_reads.entry IS 'its number in the tree of audit reads: 1, 2, 3 … in commit order';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.audit_reads
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.audit_reads ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.audit_reads IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';

GRANT SELECT ON ledger.audit_reads TO permit_ledger_service;

-- One row, which every record of a look locks until it commits, kept and found like ledger.head.
CREATE TABLE ledger.audit_reads_head (
    entry bigint NOT NULL CHECK (entry >= 0)
);
CREATE UNIQUE INDEX audit_reads_head_entry ON ledger.audit_reads_head (entry);
INSERT INTO ledger.audit_reads_head (entry) VALUES (0);
GRANT SELECT ON ledger.audit_reads_head TO permit_ledger_service;

CREATE FUNCTION ledger.audit_reads_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT audit_reads_head.entry FROM ledger.audit_reads_head ORDER BY audit_reads_head.entry DESC LIMIT 1;
END;

-- Put a look on record; idempotent.
CREATE FUNCTION ledger.record_read(
    new_read_id uuid, "at" timestamptz, by_reader text, in_case text, of_what text, of_subject text,
    with_parameters jsonb, with_outcome text, of_request text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    last bigint;
BEGIN
    SELECT audit_reads_head.entry INTO last FROM ledger.audit_reads_head
    ORDER BY audit_reads_head.entry DESC LIMIT 1 FOR UPDATE;
    INSERT INTO ledger.audit_reads
        (read_id, read_at, reader, case_number, what, subject, parameters, outcome, correlation_id,
         entry)
    VALUES (new_read_id, ledger.require_present("at"), by_reader, in_case, of_what, of_subject,
            with_parameters, with_outcome, of_request, last + 1)
    ON CONFLICT (read_id) DO NOTHING;
    IF FOUND THEN
        UPDATE ledger.audit_reads_head SET entry = last + 1 WHERE audit_reads_head.entry = last;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ledger.record_read FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.record_read TO permit_ledger_service;
