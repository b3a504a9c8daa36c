-- Personal data is sealed with its holder's own key; with the key the holder is erased.
--
-- A holder's key lies here wrapped by a key-encryption key (KEK), which never does. An event's
-- personal part, a portrait and the face in a view can be opened with the holder's key alone.

-- What is in the log can't be sealed afterwards: its rows are never changed.
DO $$
BEGIN
    IF EXISTS (SELECT FROM ledger.events) THEN
        RAISE EXCEPTION 'this log was written before personal data was sealed, and can''t be now'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Start with an empty database, and import what is to be kept.';
    END IF;
END
$$;

CREATE TABLE ledger.key_encryption_keys (
    kek_id text NOT NULL,
    check_value bytea NOT NULL,
    introduced_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    destroyed_at timestamptz,
    CONSTRAINT key_encryption_keys_id PRIMARY KEY (kek_id),
    CHECK (destroyed_at IS NULL OR closed_at IS NOT NULL)
);
COMMENT ON TABLE ledger.key_encryption_keys IS 'which KEKs holders'' keys are wrapped with; not the KEKs';
COMMENT ON COLUMN ledger.key_encryption_keys.check_value IS 'wrapped with it, to notice another one under its name';
COMMENT ON COLUMN ledger.key_encryption_keys.closed_at IS 'from then on no new key is wrapped with it';
COMMENT ON COLUMN ledger.key_encryption_keys.destroyed_at IS 'from then on nobody has it';

ALTER TABLE ledger.holders ADD COLUMN permit_numbers text[] NOT NULL DEFAULT '{}';
ALTER TABLE ledger.holders ADD COLUMN restricted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ledger.holders.restricted IS 'kept and not used: gets no further permit';
COMMENT ON COLUMN ledger.holders.permit_numbers IS 'every permit that this holder ever had';

ALTER TABLE ledger.holders
    ADD COLUMN kek_id text,
    ADD COLUMN wrapped bytea,
    ADD CONSTRAINT holders_key CHECK ((kek_id IS NULL) = (wrapped IS NULL));
COMMENT ON COLUMN ledger.holders.wrapped IS 'the holder''s 256-bit key, wrapped; NULL once destroyed';
ALTER TABLE ledger.holders SET (fillfactor = 90); -- a rotation writes every row once more
CREATE VIEW ledger.holder_keys AS SELECT holder_id, kek_id, wrapped FROM ledger.holders;
COMMENT ON VIEW ledger.holder_keys IS 'each holder''s key, and nothing else of them';

-- A picture belongs to the event that brought it, and is sealed with its holder's key.
DROP TABLE ledger.portraits;
CREATE TABLE ledger.portraits (
    stream text NOT NULL,
    version integer NOT NULL,
    image bytea NOT NULL,
    CONSTRAINT portraits_event PRIMARY KEY (stream, version)
);
ALTER TABLE ledger.portraits ALTER COLUMN image SET STORAGE EXTERNAL; -- what is sealed can't be compressed
COMMENT ON COLUMN ledger.portraits.image IS 'a JPEG or PNG, sealed';

COMMENT ON COLUMN ledger.events.state IS 'the event as JSON (UTF-8), its personal part sealed';
COMMENT ON COLUMN ledger.answers.key IS 'keyed digest of the caller''s Idempotency-Key';
COMMENT ON VIEW ledger.readable_events IS 'the log, readable, but for what is sealed in it';

GRANT SELECT, INSERT ON ledger.key_encryption_keys, ledger.portraits TO permit_ledger_service;
GRANT SELECT ON ledger.holder_keys TO permit_ledger_service;
-- A key comes with its holder's row and is not changed.
REVOKE UPDATE ON ledger.holders FROM permit_ledger_service;
GRANT UPDATE (citizen_index, permit_number, permit_numbers, restricted) ON ledger.holders
    TO permit_ledger_service;

-- The only way to destroy a key, and none without its event: the service may not change or delete
-- keys and pictures itself.
CREATE FUNCTION ledger.destroy_key(erased_holder_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    permits text[];
BEGIN
    SELECT permit_numbers INTO permits FROM ledger.holders
    WHERE holder_id = erased_holder_id FOR UPDATE;
    -- Which permits there were the service may write, but not what the log says of whom.
    IF coalesce(permits, '{}') = '{}' OR EXISTS (
        SELECT FROM unnest(permits) AS permit (number)
        WHERE NOT EXISTS (SELECT FROM ledger.events
                          WHERE stream = number AND topic = 'permit.holder-erased.v1'
                            AND ledger.state_as_json(state) ->> 'holder_id' = erased_holder_id)
    ) THEN
        RAISE EXCEPTION 'the log does not say that holder % is erased', erased_holder_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE ledger.holders
    SET kek_id = NULL, wrapped = NULL, citizen_index = NULL, permit_number = NULL
    WHERE holder_id = erased_holder_id;
    DELETE FROM ledger.portraits WHERE stream = ANY (permits);
END
$$;
REVOKE ALL ON FUNCTION ledger.destroy_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.destroy_key TO permit_ledger_service;

-- As before, with the keys of new holders, their pictures, and erasures.
DROP FUNCTION ledger.append;
CREATE FUNCTION ledger.append(
    event_command integer[] DEFAULT '{}',
    event_stream text[] DEFAULT '{}',
    event_version integer[] DEFAULT '{}',
    event_topic text[] DEFAULT '{}',
    event_state bytea[] DEFAULT '{}',
    answer_command integer[] DEFAULT '{}',
    answer_caller text[] DEFAULT '{}',
    answer_key text[] DEFAULT '{}',
    answer_fingerprint bytea[] DEFAULT '{}',
    answer_accepted boolean[] DEFAULT '{}',
    answer_body bytea[] DEFAULT '{}',
    answer_version integer[] DEFAULT '{}',
    answer_position bigint[] DEFAULT '{}', -- a stored position; null: that of event number …
    answer_event integer[] DEFAULT '{}', -- … of this batch, from 1
    take_command integer[] DEFAULT '{}',
    take_citizen_index bytea[] DEFAULT '{}',
    take_holder_id text[] DEFAULT '{}',
    take_permit_number text[] DEFAULT '{}',
    take_kek_id text[] DEFAULT '{}', -- with the key, of somebody new
    take_wrapped bytea[] DEFAULT '{}',
    reindex_command integer[] DEFAULT '{}',
    reindex_citizen_index bytea[] DEFAULT '{}',
    reindex_permit_number text[] DEFAULT '{}',
    reindex_new_citizen_index bytea[] DEFAULT '{}',
    release_citizen_index bytea[] DEFAULT '{}',
    release_permit_number text[] DEFAULT '{}',
    portrait_stream text[] DEFAULT '{}',
    portrait_version integer[] DEFAULT '{}',
    portrait_image bytea[] DEFAULT '{}',
    protect_command integer[] DEFAULT '{}',
    protect_holder_id text[] DEFAULT '{}',
    protect_permits integer[] DEFAULT '{}', -- how many permits the holder was known to have had
    protect_measure text[] DEFAULT '{}' -- restrict, lift or erase
) RETURNS TABLE (before bigint, loser integer, lost_to text)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    lost boolean := false;
    open_keks text[];
BEGIN
    SELECT position INTO before FROM ledger.head FOR UPDATE;

    -- From here on nobody else appends: what is not there now will not be there before commit. Each
    -- look is a scalar subquery, so that it stays a look into an index for each row of the batch,
    -- whatever the planner believed about the tables' sizes when it made its plan.
    IF cardinality(answer_command) > 0 THEN
        RETURN QUERY
        SELECT append.before, command, 'key'
        FROM unnest(answer_command, answer_caller, answer_key) AS own (command, caller, key)
        WHERE (SELECT true FROM ledger.answers
               WHERE answers.caller = own.caller AND answers.key = own.key);
        lost := lost OR FOUND;
    END IF;
    IF cardinality(event_command) > 0 THEN
        RETURN QUERY
        SELECT append.before, command, 'version'
        FROM unnest(event_command, event_stream, event_version) AS own (command, stream, version)
        WHERE (SELECT true FROM ledger.events
               WHERE events.stream = own.stream AND events.version = own.version);
        lost := lost OR FOUND;
    END IF;
    IF cardinality(take_command) > 0 THEN
        RETURN QUERY
        SELECT append.before, command, 'holder'
        FROM unnest(take_command, take_citizen_index, take_holder_id)
            AS own (command, citizen_index, holder_id)
        WHERE (SELECT holders.permit_number IS NOT NULL OR holders.holder_id <> own.holder_id
                      OR holders.restricted
               FROM ledger.holders WHERE holders.citizen_index = own.citizen_index);
        lost := lost OR FOUND;
        open_keks := ARRAY(SELECT kek_id FROM ledger.key_encryption_keys WHERE closed_at IS NULL);
        RETURN QUERY
        SELECT append.before, command, 'kek'
        FROM unnest(take_command, take_kek_id) AS own (command, kek_id)
        WHERE NOT kek_id = ANY (open_keks);
        lost := lost OR FOUND;
    END IF;
    IF cardinality(reindex_command) > 0 THEN
        RETURN QUERY
        SELECT append.before, command, 'holder'
        FROM unnest(reindex_command, reindex_permit_number, reindex_new_citizen_index)
            AS own (command, permit_number, citizen_index)
        WHERE (SELECT holders.permit_number <> own.permit_number
               FROM ledger.holders WHERE holders.citizen_index = own.citizen_index);
        lost := lost OR FOUND;
    END IF;
    IF cardinality(protect_command) > 0 THEN
        RETURN QUERY
        SELECT append.before, command, 'holder'
        FROM unnest(protect_command, protect_holder_id, protect_permits)
            AS own (command, holder_id, permits)
        WHERE (SELECT cardinality(permit_numbers) <> own.permits
               FROM ledger.holders WHERE holders.holder_id = own.holder_id);
        lost := lost OR FOUND;
    END IF;
    IF lost THEN
        RETURN;
    END IF;

    IF cardinality(event_stream) > 0 THEN
        INSERT INTO ledger.events (position, stream, version, topic, state)
        SELECT append.before + number, stream, version, topic, state
        FROM unnest(event_stream, event_version, event_topic, event_state) WITH ORDINALITY
            AS own (stream, version, topic, state, number);
        UPDATE ledger.head SET position = append.before + cardinality(event_stream);
    END IF;

    IF cardinality(answer_key) > 0 THEN
        INSERT INTO ledger.answers (caller, key, fingerprint, accepted, body, version, position)
        SELECT caller, key, fingerprint, accepted, body, version,
               coalesce(stored, append.before + event)
        FROM unnest(answer_caller, answer_key, answer_fingerprint, answer_accepted, answer_body,
                    answer_version, answer_position, answer_event)
            AS own (caller, key, fingerprint, accepted, body, version, stored, event);
    END IF;

    IF cardinality(take_holder_id) > 0 THEN
        INSERT INTO ledger.holders (citizen_index, holder_id, permit_number, permit_numbers,
                                    kek_id, wrapped)
        SELECT citizen_index, holder_id, permit_number, ARRAY[permit_number], kek_id, wrapped
        FROM unnest(take_citizen_index, take_holder_id, take_permit_number, take_kek_id,
                    take_wrapped)
            AS own (citizen_index, holder_id, permit_number, kek_id, wrapped)
        ON CONFLICT (citizen_index) DO UPDATE SET
            permit_number = excluded.permit_number,
            permit_numbers = holders.permit_numbers || excluded.permit_number;
    END IF;

    IF cardinality(reindex_permit_number) > 0 THEN
        -- A corrected number may belong to an earlier record of the same person, which gives way.
        UPDATE ledger.holders SET citizen_index = NULL
        WHERE citizen_index = ANY (reindex_new_citizen_index) AND permit_number IS NULL;
        UPDATE ledger.holders SET citizen_index = own.new_citizen_index
        FROM unnest(reindex_citizen_index, reindex_permit_number, reindex_new_citizen_index)
            AS own (citizen_index, permit_number, new_citizen_index)
        WHERE holders.citizen_index = own.citizen_index
          AND holders.permit_number = own.permit_number;
    END IF;

    IF cardinality(release_permit_number) > 0 THEN
        UPDATE ledger.holders SET permit_number = NULL
        FROM unnest(release_citizen_index, release_permit_number)
            AS own (citizen_index, permit_number)
        WHERE holders.citizen_index = own.citizen_index
          AND holders.permit_number = own.permit_number;
    END IF;

    IF cardinality(portrait_stream) > 0 THEN
        INSERT INTO ledger.portraits (stream, version, image)
        SELECT * FROM unnest(portrait_stream, portrait_version, portrait_image);
    END IF;

    IF cardinality(protect_holder_id) > 0 THEN
        UPDATE ledger.holders SET restricted = (measure = 'restrict')
        FROM unnest(protect_holder_id, protect_measure) AS own (holder_id, measure)
        WHERE holders.holder_id = own.holder_id;
        PERFORM ledger.destroy_key(holder_id)
        FROM unnest(protect_holder_id, protect_measure) AS own (holder_id, measure)
        WHERE measure = 'erase';
    END IF;

    RETURN NEXT;
END
$$;
