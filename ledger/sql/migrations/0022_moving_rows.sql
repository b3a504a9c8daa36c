-- Rows that each commit moves are found by what moves them, the greatest value first. While a snapshot is
-- held open none of their old versions can be removed, and a query that looks for such a row in another way,
-- by an unchanged key or a scan of its table, passes all of them (ADR 34).

ALTER TABLE ledger.head DROP COLUMN only_row, RESET (fillfactor);
CREATE UNIQUE INDEX head_position ON ledger.head (position);
ALTER TABLE ledger.checks_head DROP COLUMN only_row, RESET (fillfactor);
CREATE UNIQUE INDEX checks_head_position ON ledger.checks_head (position);
ALTER TABLE ledger.audit_reads_head DROP COLUMN only_row, RESET (fillfactor);
CREATE UNIQUE INDEX audit_reads_head_entry ON ledger.audit_reads_head (entry);
ALTER TABLE ledger.relay DROP COLUMN only_row;
CREATE INDEX relay_position ON ledger.relay (position);
-- A foreign key is looked up by the tree's name.
ALTER TABLE ledger.tiles DROP CONSTRAINT tiles_tree_fkey;
ALTER TABLE ledger.checkpoints DROP CONSTRAINT checkpoints_tree_fkey;
ALTER TABLE ledger.trees DROP CONSTRAINT trees_pkey;
CREATE UNIQUE INDEX trees_size ON ledger.trees (tree, size);

-- The log's last position. No query reads the table itself, since the planner would choose to scan it.
-- It reads with its caller's rights, so everybody may call it; so do the others like it.
CREATE FUNCTION ledger.log_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT head.position FROM ledger.head ORDER BY head.position DESC LIMIT 1;
END;

-- Waits for an append in progress. A row lock needs UPDATE, which the service does not have.
CREATE OR REPLACE FUNCTION ledger.settle_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position FROM ledger.head ORDER BY position DESC LIMIT 1 FOR UPDATE;
END;

CREATE FUNCTION ledger.checks_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT checks_head.position FROM ledger.checks_head ORDER BY checks_head.position DESC LIMIT 1;
END;

-- Waits for a batch of checks in progress.
CREATE OR REPLACE FUNCTION ledger.settle_checks_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position FROM ledger.checks_head ORDER BY position DESC LIMIT 1 FOR UPDATE;
END;

CREATE FUNCTION ledger.audit_reads_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT audit_reads_head.entry FROM ledger.audit_reads_head ORDER BY audit_reads_head.entry DESC LIMIT 1;
END;

-- Put a look on record; idempotent.
CREATE OR REPLACE FUNCTION ledger.record_read(
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

-- A tree as it is now.
CREATE FUNCTION ledger.tree_now(of_tree text)
RETURNS TABLE (tree text, size bigint, root bytea, stopped text) ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
BEGIN ATOMIC
    SELECT trees.tree, trees.size, trees.root, trees.stopped FROM ledger.trees
    WHERE trees.tree = of_tree ORDER BY trees.size DESC LIMIT 1;
END;

CREATE FUNCTION ledger.relay_now() RETURNS SETOF ledger.relay ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT * FROM ledger.relay ORDER BY position DESC LIMIT 1;
END;

-- Move the relay's position; the ends of partitions without new records are kept.
CREATE FUNCTION ledger.move_relay(new_position bigint, new_ends jsonb) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    old_position bigint;
BEGIN
    SELECT relay.position INTO old_position FROM ledger.relay ORDER BY relay.position DESC LIMIT 1 FOR UPDATE;
    UPDATE ledger.relay SET position = new_position, moved_at = clock_timestamp(), stopped = NULL,
        ends = ends || (SELECT coalesce(jsonb_object_agg(topic, coalesce(ends -> topic, '{}') || new), '{}')
                        FROM jsonb_each(new_ends) AS given (topic, new))
    WHERE relay.position = old_position OR (old_position IS NULL AND relay.position IS NULL);
END
$$;
REVOKE ALL ON FUNCTION ledger.move_relay FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.move_relay TO permit_ledger_service;

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

-- One batch of checks: put those that were decided on record, their columns made from their state, so
-- that they cannot contradict it; then use the codes of those that are to be decided next. All of it or
-- nothing, in this order: a transaction that holds the head's lock may wait for a code, and one that
-- holds a code never waits for the head.
--
-- A row is returned for each code, by its place; and one with the position before the first record,
-- whose place is null. A code is live for one row at most, whatever runs concurrently: the query that
-- decides sees what the locks have waited for. Whether the service itself stored the code, its MAC tells.
CREATE OR REPLACE FUNCTION ledger.check_batch(
    record_state bytea[],
    code_number integer[], code_digest bytea[], code_challenge_digest bytea[],
    code_verifier_index bytea[], code_scenario text[], "at" timestamptz, ahead_max interval
) RETURNS TABLE (before bigint, number integer, permit_number text, holder_id text, device text,
                 is_live boolean, issued_at timestamptz, expires_at timestamptz, mac bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
AS $$
DECLARE
    earliest timestamptz;
    latest timestamptz;
BEGIN
    IF cardinality(record_state) > 0 THEN
        SELECT position INTO before FROM ledger.checks_head ORDER BY position DESC LIMIT 1 FOR UPDATE;
        UPDATE ledger.checks_head SET position = position + cardinality(record_state)
        WHERE position = check_batch.before;
        WITH recorded AS (
            INSERT INTO ledger.checks (position, check_id, checked_at, permit_number, track, scenario,
                                       outcome, reason, verifier_index, as_of_position, state)
            SELECT check_batch.before + own.number, said.check_id, said.checked_at,
                   said.permit_number, said.track, said.scenario, said.outcome, said.reason,
                   decode(said.verifier_index, 'hex'), said.as_of_position, own.state
            FROM unnest(record_state) WITH ORDINALITY AS own (state, number),
                 json_to_record(convert_from(own.state, 'UTF8')::json)
                AS said (check_id uuid, checked_at timestamptz, permit_number text, track text,
                         scenario text, outcome text, reason text, verifier_index text,
                         as_of_position bigint)
            RETURNING checked_at
        )
        SELECT min(checked_at), max(checked_at) INTO earliest, latest FROM recorded;
        PERFORM ledger.require_present(earliest), ledger.require_present(latest);
    END IF;
    RETURN NEXT;

    IF cardinality(code_digest) > 0 THEN
        PERFORM ledger.require_present("at");
        PERFORM FROM ledger.display_codes AS codes
        WHERE codes.code_digest = ANY (check_batch.code_digest)
        ORDER BY codes.code_digest FOR UPDATE;
        IF array_remove(code_challenge_digest, NULL) <> '{}' THEN
            PERFORM FROM ledger.challenges
            WHERE challenge_digest = ANY (code_challenge_digest)
            ORDER BY challenge_digest FOR UPDATE;
        END IF;
        RETURN QUERY
        WITH asked AS MATERIALIZED (
            SELECT own.*,
                   row_number() OVER (PARTITION BY own.digest ORDER BY own.place) AS turn
            FROM unnest(code_number, check_batch.code_digest, code_challenge_digest,
                        code_verifier_index, code_scenario)
                AS own (place, digest, challenge_digest, verifier_index, scenario)
        ), found AS MATERIALIZED (
            SELECT asked.place, codes.permit_number, codes.holder_id, codes.device,
                   codes.issued_at, codes.expires_at, codes.mac, asked.challenge_digest,
                   asked.turn = 1 AND codes.used_at IS NULL AND codes.expires_at > "at"
                   AND codes.issued_at <= "at" + ahead_max
                   AND codes.challenge_digest IS NOT DISTINCT FROM asked.challenge_digest
                   AND (asked.challenge_digest IS NULL OR EXISTS (
                       SELECT FROM ledger.challenges
                       WHERE challenges.challenge_digest = asked.challenge_digest
                         AND challenges.verifier_index = asked.verifier_index
                         AND challenges.scenario = asked.scenario
                         AND challenges.used_at IS NULL AND challenges.expires_at > "at"
                   )) AS live
            FROM asked CROSS JOIN LATERAL (
                SELECT * FROM ledger.display_codes AS stored WHERE stored.code_digest = asked.digest
            ) AS codes
        ), used AS (
            UPDATE ledger.display_codes SET used_at = "at"
            WHERE display_codes.code_digest = ANY (check_batch.code_digest)
              AND display_codes.used_at IS NULL
        ), answered AS (
            UPDATE ledger.challenges SET used_at = "at"
            WHERE challenges.challenge_digest IN (SELECT found.challenge_digest FROM found WHERE live)
        )
        SELECT NULL::bigint, place, found.permit_number, found.holder_id, found.device, live,
               found.issued_at, found.expires_at, found.mac
        FROM found;
    END IF;
END
$$;

-- Move a tree on from the state that the caller found, with the tiles that this changes; false if it is
-- in another state. A tree never shrinks or runs ahead of its log, and a hash that is stored never
-- changes. Whether the hashes are the log's, `verify-log` and the witnesses tell: leaves are made
-- outside the database.
CREATE OR REPLACE FUNCTION ledger.grow_tree(
    of_tree text, old_size bigint, old_root bytea, new_size bigint, new_root bytea,
    tile_level smallint[], tile_index bigint[], tile_hashes bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off AS $$
BEGIN
    UPDATE ledger.trees SET size = new_size, root = new_root
    WHERE tree = of_tree AND size = old_size AND root = old_root;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF new_size <= old_size OR new_size > (CASE of_tree
        WHEN 'events' THEN (SELECT position FROM ledger.log_end() AS head (position))
        WHEN 'checks' THEN (SELECT position FROM ledger.checks_end() AS checks_head (position))
        WHEN 'audit-reads' THEN (SELECT entry FROM ledger.audit_reads_end() AS head (entry))
        ELSE (SELECT coalesce(max(position), 0) FROM ledger.manifests)
    END) THEN
        RAISE EXCEPTION 'the tree of % does not grow from % to % entries', of_tree, old_size, new_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM unnest(tile_level, tile_index, tile_hashes) AS own (level, index, hashes)
        LEFT JOIN ledger.tiles AS stored
            ON stored.tree = of_tree AND stored.level = own.level AND stored.index = own.index
        WHERE own.index < 0
           OR octet_length(own.hashes) <> 32 * least(256, (new_size >> (8 * own.level)) - 256 * own.index)
           OR substring(own.hashes FROM 1 FOR octet_length(stored.hashes)) <> stored.hashes
    ) THEN
        RAISE EXCEPTION 'a tile of the tree of % is not what it was, and more', of_tree
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.tiles (tree, level, index, hashes)
    SELECT of_tree, * FROM unnest(tile_level, tile_index, tile_hashes)
    ON CONFLICT (tree, level, index) DO UPDATE SET hashes = excluded.hashes;
    RETURN true;
END
$$;

-- Keep a checkpoint of the tree as it is now, with the log's own signatures; returns how many of them
-- it has. Its time is the server's; only a development service has a clock that is ahead of that.
CREATE OR REPLACE FUNCTION ledger.keep_checkpoint(
    of_tree text, of_size bigint, of_root bytea, lines text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.tree_now(of_tree)
                   WHERE size = of_size AND root = of_root) THEN
        RAISE EXCEPTION 'the tree of % has another root at %', of_tree, of_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.checkpoints (tree, size, root, signed_at)
    SELECT of_tree, of_size, of_root, clock_timestamp() + coalesce((
        SELECT ahead FROM ledger.clock
        WHERE NOT EXISTS (SELECT FROM ledger.issuer WHERE name <> 'permit-ledger-development')
    ), '0')
    ON CONFLICT DO NOTHING;
    RETURN ledger.keep_signatures(of_tree, of_size, lines, false);
END
$$;

-- Add a manifest at the next position, of more entries than the one before: the roots of the tree of
-- events and of the map, both as they were at one size. Whether the map's is the log's, `verify-log` tells.
CREATE OR REPLACE FUNCTION ledger.add_manifest(at_position bigint, new_entry bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stated text[] := regexp_match(
        encode(new_entry, 'escape'),
        '^\{"log_root":"([0-9a-f]{64})","log_size":([1-9][0-9]{0,17}),"map_root":"([0-9a-f]{64})"\}$');
    newest record;
BEGIN
    SELECT position, substring(encode(entry, 'escape') FROM '"log_size":([0-9]{1,18})')::bigint AS log_size
    INTO newest FROM ledger.manifests ORDER BY position DESC LIMIT 1;
    IF at_position <> coalesce(newest.position, 0) + 1 OR stated IS NULL
       OR stated[2]::bigint <= newest.log_size
       OR NOT EXISTS (SELECT FROM ledger.last_events
                      WHERE position = stated[2]::bigint AND encode(root, 'hex') = stated[3])
       OR NOT EXISTS (
           SELECT FROM ledger.tree_now('events')
           WHERE size >= stated[2]::bigint
             AND (size > stated[2]::bigint OR encode(root, 'hex') = stated[1])
       ) THEN
        RAISE EXCEPTION 'no manifest can be added at %', at_position
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.manifests (position, entry) VALUES (at_position, new_entry);
END
$$;
