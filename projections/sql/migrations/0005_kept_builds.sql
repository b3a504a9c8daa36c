-- What is kept of a build: which of its rows wait for something, and nothing by which somebody erased
-- is found.

ALTER TABLE views.builds ADD COLUMN behind text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN views.builds.behind IS 'permits with events that its rows may lack, though it has passed them';

-- The index by citizen number is told to nobody, as a face is not.
UPDATE views.differences SET
    live = CASE WHEN live ->> 'citizen_index' IS NULL THEN live
                ELSE jsonb_set(live, '{citizen_index}', '"sealed"') END,
    fresh = CASE WHEN fresh ->> 'citizen_index' IS NULL THEN fresh
                 ELSE jsonb_set(fresh, '{citizen_index}', '"sealed"') END
WHERE 'citizen_index' = ANY (columns);

-- Who is erased is not found in an earlier build either, nor in what is left of one that did not come
-- to serve. One that is under way (whoever builds holds the lock) gets the erasure from the log.
CREATE OR REPLACE FUNCTION views.forget(erased_permits text[]) RETURNS void
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
