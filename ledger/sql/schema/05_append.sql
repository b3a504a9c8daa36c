-- The one way into the log, and to the register of holders: a batch of commands, in one statement and
-- one transaction.
--
-- The head's row is locked while the server works and never across a round trip, so a client that stops
-- in the middle blocks no one. A command's number is its place in the batch. Commands of a batch have no
-- stream, key, person or permit in common: the batch's order decides the positions and nothing else.
-- Only a bulk load has consecutive versions of a stream in one batch.
--
-- Either everything is written and one row is returned, with the position before the first event; or
-- some commands conflict with what is stored, nothing is written, and each of them is returned with what
-- it conflicts with. The caller leaves these out and tries again with the rest.
--
-- It runs with its owner's rights, so it also refuses, with an error, what no honest caller asks for:
-- arrays that do not belong together, an event of an unknown topic or one that skips a version, and a
-- change of the register that no event of the same batch accounts for, or that finds no row to change.
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
    take_kek_id text[] DEFAULT '{}', -- with the key, of a new holder
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    lost boolean := false;
    open_keks text[];
    unknown_topic text;
    changed bigint;
BEGIN
    -- The arrays of a group are columns of the same rows. Otherwise a check over one of them would not
    -- be of the rows that another one changes.
    IF (cardinality(event_command) = ALL (ARRAY[
            num_nonnulls(VARIADIC event_command), num_nonnulls(VARIADIC event_stream),
            num_nonnulls(VARIADIC event_version), num_nonnulls(VARIADIC event_topic),
            num_nonnulls(VARIADIC event_state)])
        AND cardinality(answer_command) = ALL (ARRAY[
            num_nonnulls(VARIADIC answer_command), num_nonnulls(VARIADIC answer_caller),
            num_nonnulls(VARIADIC answer_key), num_nonnulls(VARIADIC answer_fingerprint),
            num_nonnulls(VARIADIC answer_accepted), num_nonnulls(VARIADIC answer_body),
            cardinality(answer_version), cardinality(answer_position), cardinality(answer_event)])
        AND cardinality(take_command) = ALL (ARRAY[
            num_nonnulls(VARIADIC take_command), num_nonnulls(VARIADIC take_citizen_index),
            num_nonnulls(VARIADIC take_holder_id), num_nonnulls(VARIADIC take_permit_number),
            cardinality(take_kek_id), cardinality(take_wrapped)])
        AND cardinality(reindex_command) = ALL (ARRAY[
            num_nonnulls(VARIADIC reindex_command), num_nonnulls(VARIADIC reindex_citizen_index),
            num_nonnulls(VARIADIC reindex_permit_number),
            num_nonnulls(VARIADIC reindex_new_citizen_index)])
        AND cardinality(release_citizen_index) = ALL (ARRAY[
            num_nonnulls(VARIADIC release_citizen_index),
            num_nonnulls(VARIADIC release_permit_number)])
        AND cardinality(portrait_stream) = ALL (ARRAY[
            num_nonnulls(VARIADIC portrait_stream), num_nonnulls(VARIADIC portrait_version),
            num_nonnulls(VARIADIC portrait_image)])
        AND cardinality(protect_command) = ALL (ARRAY[
            num_nonnulls(VARIADIC protect_command), num_nonnulls(VARIADIC protect_holder_id),
            num_nonnulls(VARIADIC protect_permits), num_nonnulls(VARIADIC protect_measure)])
       ) IS NOT TRUE THEN
        RAISE EXCEPTION 'arrays of an append that belong together differ in length, or lack a value'
            USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT topic INTO unknown_topic FROM (SELECT DISTINCT unnest(event_topic) AS topic) AS own
    WHERE (SELECT true FROM ledger.topics WHERE topics.topic = own.topic) IS NULL LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the topic % is not one of ledger.topics', unknown_topic
            USING ERRCODE = 'restrict_violation',
                  HINT = 'permit-ledger migrate, run by the database''s owner, adds a version''s topics.';
    END IF;

    SELECT position INTO before FROM ledger.head ORDER BY position DESC LIMIT 1 FOR UPDATE;

    -- From here on no one else appends: what is not there now will not be there before commit. Each
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
        WHERE (SELECT holders.permit_number IS DISTINCT FROM own.permit_number
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
        UPDATE ledger.head SET position = append.before + cardinality(event_stream)
        WHERE position = append.before;
        IF EXISTS (
            SELECT FROM unnest(event_stream, event_version) AS own (stream, version)
            WHERE version > 1 AND (SELECT true FROM ledger.events
                                   WHERE events.stream = own.stream
                                     AND events.version = own.version - 1) IS NULL
        ) THEN
            RAISE EXCEPTION 'an event leaves out a version of its stream'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;

    -- The register follows the log: who begins a stream is whom its first event names; a number that
    -- changes or is free again, a portrait and a measure each belong to an event of this batch. Of the
    -- topics the names count, which are the same for every stream type: an application holds nothing
    -- once it is accepted.
    IF cardinality(take_permit_number) > 0 AND EXISTS (
        SELECT FROM unnest(take_holder_id, take_permit_number) AS own (holder_id, permit_number)
        WHERE (SELECT convert_from(state, 'UTF8')::json ->> 'holder_id' FROM ledger.events
               WHERE stream = own.permit_number AND version = 1 AND position > append.before)
              IS DISTINCT FROM own.holder_id
    ) THEN
        RAISE EXCEPTION 'no event of this append gives the stream to the holder'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF cardinality(reindex_permit_number) > 0 AND NOT reindex_permit_number <@ ARRAY(
           SELECT stream FROM unnest(event_stream, event_topic) AS recorded (stream, topic)
           WHERE topic ~ '^[a-z]+(-[a-z]+)*\.identity-corrected\.v[1-9][0-9]*$')
       OR cardinality(release_permit_number) > 0 AND NOT release_permit_number <@ ARRAY(
           SELECT stream FROM unnest(event_stream, event_topic) AS recorded (stream, topic)
           WHERE topic ~ '^[a-z]+(-[a-z]+)*\.(accepted|cancelled|voided)\.v[1-9][0-9]*$')
    THEN
        RAISE EXCEPTION 'no event of this append changes what its holder holds'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF cardinality(portrait_stream) > 0 AND EXISTS (
        SELECT FROM unnest(portrait_stream, portrait_version) AS own (stream, version)
        WHERE ((SELECT position FROM ledger.events
                WHERE events.stream = own.stream AND events.version = own.version)
               > append.before) IS NOT TRUE
    ) THEN
        RAISE EXCEPTION 'no event of this append brings the portrait'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF cardinality(protect_holder_id) > 0 AND EXISTS (
        SELECT FROM unnest(protect_command, protect_holder_id, protect_measure)
            AS own (command, holder_id, measure)
        WHERE measure IS DISTINCT FROM 'erase' AND NOT EXISTS (
            SELECT FROM ledger.holders, unnest(event_command, event_stream, event_topic)
                AS recorded (command, stream, topic)
            WHERE holders.holder_id = own.holder_id AND recorded.command = own.command
              AND recorded.stream = ANY (holders.permit_numbers)
              AND recorded.topic ~ CASE measure
                  WHEN 'restrict' THEN '^[a-z]+(-[a-z]+)*\.holder-restricted\.v[1-9][0-9]*$'
                  WHEN 'lift' THEN '^[a-z]+(-[a-z]+)*\.holder-restriction-lifted\.v[1-9][0-9]*$'
              END)
    ) THEN
        RAISE EXCEPTION 'no event of this append records the measure'
            USING ERRCODE = 'restrict_violation';
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
            permit_numbers = holders.permit_numbers || excluded.permit_number
        WHERE holders.holder_id = excluded.holder_id AND holders.permit_number IS NULL;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(take_holder_id) THEN
            RAISE EXCEPTION 'a row of the register is another holder''s'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    IF cardinality(reindex_permit_number) > 0 THEN
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
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(reindex_permit_number) THEN
            RAISE EXCEPTION 'the register has no such holder of a permit whose number is to change'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    IF cardinality(release_permit_number) > 0 THEN
        UPDATE ledger.holders SET permit_number = NULL
        FROM unnest(release_citizen_index, release_permit_number)
            AS own (citizen_index, permit_number)
        WHERE holders.citizen_index = own.citizen_index
          AND holders.permit_number = own.permit_number;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(release_permit_number) THEN
            RAISE EXCEPTION 'the register has no such holder of a permit that is to be released'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
    END IF;

    IF cardinality(portrait_stream) > 0 THEN
        INSERT INTO ledger.portraits (stream, version, image)
        SELECT * FROM unnest(portrait_stream, portrait_version, portrait_image);
    END IF;

    IF cardinality(protect_holder_id) > 0 THEN
        UPDATE ledger.holders SET restricted = (measure = 'restrict')
        FROM unnest(protect_holder_id, protect_measure) AS own (holder_id, measure)
        WHERE holders.holder_id = own.holder_id;
        GET DIAGNOSTICS changed = ROW_COUNT;
        IF changed <> cardinality(protect_holder_id) THEN
            RAISE EXCEPTION 'a measure is for a holder who is not in the register'
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        PERFORM ledger.destroy_key(holder_id)
        FROM unnest(protect_holder_id, protect_measure) AS own (holder_id, measure)
        WHERE measure = 'erase';
    END IF;

    RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION ledger.append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.append TO permit_ledger_service;
