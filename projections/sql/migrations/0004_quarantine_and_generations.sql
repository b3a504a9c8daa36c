-- What may go wrong with one permit stays with it; and views are built anew beside those that serve.

-- Permits whose views stand still: the first event that could not be read or applied, or what the
-- auditor found to differ. Later events wait for it in the log, in their order.
CREATE TABLE views.quarantine (
    permit_number text NOT NULL,
    position bigint NOT NULL,
    version integer NOT NULL,
    topic text NOT NULL,
    found_by text NOT NULL CHECK (found_by IN ('projector', 'auditor')),
    reason text NOT NULL,
    trace text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    retries integer NOT NULL DEFAULT 0,
    retried_at timestamptz,
    CONSTRAINT quarantine_permit PRIMARY KEY (permit_number)
);
COMMENT ON COLUMN views.quarantine.position IS 'of the first event that the views do not hold';
COMMENT ON COLUMN views.quarantine.trace IS 'types and places in the code, no values';

-- What the auditor has compared since the ledger began.
CREATE TABLE views.audit (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    permits bigint NOT NULL DEFAULT 0,
    differences bigint NOT NULL DEFAULT 0,
    audited_at timestamptz
) WITH (fillfactor = 10);
INSERT INTO views.audit DEFAULT VALUES;

-- Every rebuild there was. The position is that of a generation that does not serve: how far its rows
-- have come.
CREATE TABLE views.builds (
    build_id bigint GENERATED ALWAYS AS IDENTITY,
    view text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('building', 'failed', 'refused', 'live', 'previous', 'gone')),
    position bigint NOT NULL,
    permits bigint,
    events bigint,
    differences bigint,
    compared_with text NOT NULL DEFAULT 'live' CHECK (compared_with IN ('live', 'nothing')),
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CONSTRAINT builds_id PRIMARY KEY (build_id)
);

-- What a rebuild found to differ, permit by permit.
CREATE TABLE views.differences (
    build_id bigint NOT NULL REFERENCES views.builds,
    permit_number text NOT NULL,
    columns text[] NOT NULL,
    live jsonb,
    fresh jsonb,
    CONSTRAINT differences_permit PRIMARY KEY (build_id, permit_number)
);
COMMENT ON COLUMN views.differences.live IS 'the columns that differ, as they were served; NULL: no row';
COMMENT ON COLUMN views.differences.fresh IS 'the same as they were built; NULL: no row';

CREATE SCHEMA views_next;
CREATE SCHEMA views_previous;

GRANT SELECT, INSERT, UPDATE, DELETE ON views.quarantine TO permit_ledger_service;
GRANT SELECT, UPDATE ON views.audit TO permit_ledger_service;
GRANT SELECT ON views.builds, views.differences TO permit_ledger_service;
-- A row of a permit that the log does not have is taken out.
GRANT DELETE ON views.physical_permits, views.electronic_permits, views.permit_search
    TO permit_ledger_service;

-- Who is erased is not found in what is kept of an earlier build either.
CREATE FUNCTION views.forget(erased_permits text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('views_previous.permit_search') IS NOT NULL THEN
        UPDATE views_previous.permit_search SET citizen_index = NULL
        WHERE permit_number = ANY (erased_permits);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION views.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION views.forget TO permit_ledger_service;
