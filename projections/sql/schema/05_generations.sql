-- Rebuilds: a view is built again in views_next, beside the live one, which then moves to views_previous.

CREATE SCHEMA views_next;
CREATE SCHEMA views_previous;

-- All rebuilds. The position is that of a generation that is not live: how far its rows have come.
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
    behind text[] NOT NULL DEFAULT '{}',
    CONSTRAINT builds_id PRIMARY KEY (build_id)
);
COMMENT ON COLUMN views.builds.behind IS 'permits with events that its rows may lack, though it has passed them';
GRANT SELECT ON views.builds TO permit_ledger_service;

-- What a rebuild found to differ, permit by permit.
CREATE TABLE views.differences (
    build_id bigint NOT NULL REFERENCES views.builds,
    permit_number text NOT NULL,
    columns text[] NOT NULL,
    live jsonb,
    fresh jsonb,
    CONSTRAINT differences_permit PRIMARY KEY (build_id, permit_number)
);
COMMENT ON COLUMN views.differences.permit_number IS 'the stream, whatever lifecycle it is of';
COMMENT ON COLUMN views.differences.live IS 'the columns that differ, as they were served; NULL: no row';
COMMENT ON COLUMN views.differences.fresh IS 'the same as they were built; NULL: no row';
GRANT SELECT ON views.differences TO permit_ledger_service;

-- An erased person is not found in an earlier generation either, nor in one that was not completed. A
-- build that is under way, whose process holds the lock, applies the erasure from the log.
CREATE FUNCTION views.forget(erased_permits text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regclass('views_previous.permit_search') IS NOT NULL THEN
        UPDATE views_previous.permit_search SET citizen_index = NULL
        WHERE permit_number = ANY (erased_permits);
    END IF;
    IF to_regclass('views_next.permit_search') IS NOT NULL
       AND pg_try_advisory_xact_lock(1651861868) THEN
        UPDATE views_next.permit_search SET citizen_index = NULL
        WHERE permit_number = ANY (erased_permits);
    END IF;
END
$$;
REVOKE ALL ON FUNCTION views.forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION views.forget TO permit_ledger_service;
