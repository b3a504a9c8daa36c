-- The log holds lifecycles of several kinds; whoever is erased is told of it in each stream of theirs.

COMMENT ON TABLE ledger.holders IS 'whose key seals what, a person once in each register; who holds a permit now';
COMMENT ON COLUMN ledger.holders.permit_numbers IS 'every stream that this holder ever had, a permit''s or another one''s';

-- As before, whatever lifecycle a stream is of: by its topic every one of them says the same.
CREATE OR REPLACE FUNCTION ledger.destroy_key(erased_holder_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    streams text[];
BEGIN
    SELECT permit_numbers INTO streams FROM ledger.holders
    WHERE holder_id = erased_holder_id FOR UPDATE;
    -- Which streams there were the service may write, but not what the log says of whom.
    IF coalesce(streams, '{}') = '{}' OR EXISTS (
        SELECT FROM unnest(streams) AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM ledger.events
                          WHERE stream = name AND topic ~ '^[a-z]+(-[a-z]+)*\.holder-erased\.v[1-9][0-9]*$'
                            AND ledger.state_as_json(state) ->> 'holder_id' = erased_holder_id)
    ) THEN
        RAISE EXCEPTION 'the log does not say that holder % is erased', erased_holder_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE ledger.holders
    SET kek_id = NULL, wrapped = NULL, citizen_index = NULL, permit_number = NULL
    WHERE holder_id = erased_holder_id;
    DELETE FROM ledger.portraits WHERE stream = ANY (streams);
END
$$;
