-- Registrars' reads of personal details: on record before they are answered; rows are only added.

CREATE TABLE ledger.registrar_reads (
    position bigint GENERATED ALWAYS AS IDENTITY,
    read_id uuid NOT NULL,
    subject text NOT NULL,
    read_at timestamptz NOT NULL,
    reader text NOT NULL,
    station text NOT NULL,
    what text NOT NULL,
    correlation_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT registrar_reads_position PRIMARY KEY (position),
    CONSTRAINT registrar_reads_id UNIQUE (read_id, subject)
);
CREATE INDEX registrar_reads_of_subject ON ledger.registrar_reads (subject, position DESC);
COMMENT ON TABLE ledger.registrar_reads IS 'every read of a permit or an application by a registrar';
COMMENT ON COLUMN ledger.registrar_reads.position IS
    'order in which they were recorded; numbers may be missing where a record was given up';
COMMENT ON COLUMN ledger.registrar_reads.read_id IS 'of the request; a search may have read several subjects';
COMMENT ON COLUMN ledger.registrar_reads.subject IS 'the permit''s number, or the application''s';
COMMENT ON COLUMN ledger.registrar_reads.read_at IS 'when, by the ledger''s clock';
COMMENT ON COLUMN ledger.registrar_reads.reader IS 'the subject of the token';
COMMENT ON COLUMN ledger.registrar_reads.station IS 'the station of the token';
COMMENT ON COLUMN ledger.registrar_reads.recorded_at IS 'by the server''s clock';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.registrar_reads
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.registrar_reads ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.registrar_reads IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';

GRANT SELECT ON ledger.registrar_reads TO permit_ledger_service;

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

-- Put reads on record; idempotent.
CREATE FUNCTION ledger.record_registrar_reads(
    read_ids uuid[], subjects text[], "at" timestamptz[], by_readers text[], at_stations text[],
    of_what text[], of_requests text[]
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO ledger.registrar_reads
        (read_id, subject, read_at, reader, station, what, correlation_id)
    SELECT read_id, subject, ledger.require_present(read_at), reader, station, what, request
    FROM unnest(read_ids, subjects, "at", by_readers, at_stations, of_what, of_requests)
        AS own (read_id, subject, read_at, reader, station, what, request)
    ON CONFLICT (read_id, subject) DO NOTHING;
END;
REVOKE ALL ON FUNCTION ledger.record_registrar_reads FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.record_registrar_reads TO permit_ledger_service;

-- Investigators see the audit reads of their own case.
CREATE INDEX audit_reads_of_case ON ledger.audit_reads (case_number, position DESC);
