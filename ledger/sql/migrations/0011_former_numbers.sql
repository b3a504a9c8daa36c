-- A number that was corrected can't be used for a second permit of the same person.

CREATE TABLE ledger.former_numbers (
    citizen_index bytea NOT NULL,
    holder_id text NOT NULL REFERENCES ledger.holders (holder_id),
    CONSTRAINT former_numbers_citizen PRIMARY KEY (citizen_index)
);
CREATE INDEX former_numbers_holder ON ledger.former_numbers (holder_id);
COMMENT ON TABLE ledger.former_numbers IS
    'blind indexes of numbers that a holder had before a correction: barred while the holder has a permit or is restricted';
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.former_numbers TO permit_ledger_service;

-- Corrections at a position up to this one were made before former numbers were kept.
CREATE TABLE ledger.former_numbers_since (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
);
INSERT INTO ledger.former_numbers_since (position) SELECT position FROM ledger.head;
GRANT SELECT ON ledger.former_numbers_since TO permit_ledger_service;

-- As before; the former numbers of an erased person go with the index.
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
    DELETE FROM ledger.former_numbers WHERE holder_id = erased_holder_id;
    DELETE FROM ledger.portraits WHERE stream = ANY (streams);
END
$$;

-- As before, with former numbers.
CREATE OR REPLACE FUNCTION ledger.append(
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
               FROM ledger.holders WHERE holders.citizen_index = own.citizen_index)
           OR (SELECT holders.permit_number IS NOT NULL OR holders.restricted
               FROM ledger.former_numbers JOIN ledger.holders USING (holder_id)
               WHERE former_numbers.citizen_index = own.citizen_index);
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
               FROM ledger.holders WHERE holders.citizen_index = own.citizen_index)
           OR (SELECT holders.permit_number IS DISTINCT FROM own.permit_number
                      AND (holders.permit_number IS NOT NULL OR holders.restricted)
               FROM ledger.former_numbers JOIN ledger.holders USING (holder_id)
               WHERE former_numbers.citizen_index = own.citizen_index);
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
        -- Nothing bars this number any more, and from now on it is this person's.
        DELETE FROM ledger.former_numbers WHERE citizen_index = ANY (take_citizen_index);
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
        DELETE FROM ledger.former_numbers WHERE citizen_index = ANY (reindex_new_citizen_index);
        INSERT INTO ledger.former_numbers (citizen_index, holder_id)
        SELECT citizen_index, holders.holder_id
        FROM unnest(reindex_citizen_index, reindex_permit_number)
            AS own (citizen_index, permit_number)
            JOIN ledger.holders USING (citizen_index, permit_number)
        ON CONFLICT (citizen_index) DO UPDATE SET holder_id = excluded.holder_id;
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
