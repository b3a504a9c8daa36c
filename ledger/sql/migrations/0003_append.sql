-- The one way into the log for commands: a batch of them, in one statement and one transaction.
--
-- The head's row is locked for as long as the server works and never across a round trip, so a
-- client that stops in the middle holds up nobody. A command's number is its place in the batch.
-- Commands of a batch have no stream, key, person or permit in common: the batch's order decides
-- the positions and nothing else.
--
-- Either everything is written and one row comes back, with the position before the first event; or
-- some commands lose to what is already stored, nothing is written, and each loser comes back with
-- what it lost to. Who calls leaves the losers out and tries again with the rest.

-- A row is found by its person. That a permit has one holder follows from its stream having one
-- first version.
ALTER TABLE ledger.holders DROP CONSTRAINT holders_permit;

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
    reindex_command integer[] DEFAULT '{}',
    reindex_citizen_index bytea[] DEFAULT '{}',
    reindex_permit_number text[] DEFAULT '{}',
    reindex_new_citizen_index bytea[] DEFAULT '{}',
    release_citizen_index bytea[] DEFAULT '{}',
    release_permit_number text[] DEFAULT '{}',
    portrait_digest bytea[] DEFAULT '{}',
    portrait_image bytea[] DEFAULT '{}'
) RETURNS TABLE (before bigint, loser integer, lost_to text)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    lost boolean := false;
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
               FROM ledger.holders WHERE holders.citizen_index = own.citizen_index);
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
        INSERT INTO ledger.holders (citizen_index, holder_id, permit_number)
        SELECT * FROM unnest(take_citizen_index, take_holder_id, take_permit_number)
        ON CONFLICT (citizen_index) DO UPDATE SET permit_number = excluded.permit_number;
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

    IF cardinality(portrait_digest) > 0 THEN
        INSERT INTO ledger.portraits (digest, image)
        SELECT * FROM unnest(portrait_digest, portrait_image)
        ON CONFLICT DO NOTHING;
    END IF;

    RETURN NEXT;
END
$$;
