-- The service writes through functions, which check what they are asked for, and through nothing else
-- where a row is evidence: the log, the register of holders, checks, looks, trees.

REVOKE UPDATE ON ledger.head, ledger.checks_head, ledger.trees FROM permit_ledger_service;
REVOKE INSERT ON ledger.events, ledger.answers, ledger.key_encryption_keys, ledger.holders,
    ledger.portraits, ledger.checks, ledger.audit_reads, ledger.tiles, ledger.checkpoints,
    ledger.checkpoint_signatures, ledger.manifests FROM permit_ledger_service;
REVOKE UPDATE ON ledger.tiles FROM permit_ledger_service;
REVOKE UPDATE (citizen_index, permit_number, permit_numbers, restricted) ON ledger.holders
    FROM permit_ledger_service;
REVOKE INSERT, UPDATE, DELETE ON ledger.former_numbers, ledger.display_codes, ledger.challenges,
    ledger.device_proofs FROM permit_ledger_service;
REVOKE EXECUTE ON FUNCTION ledger.destroy_key FROM permit_ledger_service;
GRANT INSERT (kek_id, check_value) ON ledger.key_encryption_keys TO permit_ledger_service;
GRANT UPDATE (stopped) ON ledger.trees TO permit_ledger_service;

-- Waits for an append, or a batch of checks, in progress. A row lock needs UPDATE.
CREATE FUNCTION ledger.settle_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT position FROM ledger.head FOR UPDATE;
END;

CREATE FUNCTION ledger.settle_checks_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT position FROM ledger.checks_head FOR UPDATE;
END;
REVOKE ALL ON FUNCTION ledger.settle_head, ledger.settle_checks_head FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.settle_head, ledger.settle_checks_head TO permit_ledger_service;

-- As before; and every stream must be the holder's by its first event.
CREATE OR REPLACE FUNCTION ledger.destroy_key(erased_holder_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    streams text[];
BEGIN
    SELECT permit_numbers INTO streams FROM ledger.holders
    WHERE holder_id = erased_holder_id FOR UPDATE;
    IF coalesce(streams, '{}') = '{}' OR EXISTS (
        SELECT FROM unnest(streams) AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM ledger.events
                          WHERE stream = name AND version = 1
                            AND ledger.state_as_json(state) ->> 'holder_id' = erased_holder_id)
           OR NOT EXISTS (SELECT FROM ledger.events
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

-- The kinds of events that the log may hold, filled by `permit-ledger migrate` from the program's own list.
-- An event of any other topic would stop every later start.
CREATE TABLE ledger.topics (
    topic text NOT NULL,
    CONSTRAINT topics_topic PRIMARY KEY (topic)
);
GRANT SELECT ON ledger.topics TO permit_ledger_service;

-- As before, but for what it refuses: arrays that do not belong together, an unknown topic, an event that
-- skips a version, a change of the register that no event of the same batch accounts for or that finds no
-- row to change, and a correction to a number that has a record of its own: restriction and erasure of
-- that record would not reach the corrected permit.
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

    SELECT position INTO before FROM ledger.head FOR UPDATE;

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
        UPDATE ledger.head SET position = append.before + cardinality(event_stream);
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

-- Codes and challenges are cleaned up by the server's clock, and a code has the service's MAC.
ALTER TABLE ledger.display_codes
    ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN mac bytea;
ALTER TABLE ledger.challenges ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now();
DROP INDEX ledger.display_codes_expiry, ledger.challenges_expiry;
CREATE INDEX display_codes_stored ON ledger.display_codes (stored_at);
CREATE INDEX challenges_stored ON ledger.challenges (stored_at);
COMMENT ON COLUMN ledger.display_codes.stored_at IS 'by the server''s clock; kept for a day and an hour from then on';
COMMENT ON COLUMN ledger.display_codes.mac IS
    'the service''s keyed digest of code, permit, holder, phone, challenge and life: no other row is believed';
DROP FUNCTION ledger.mint_code, ledger.ask_challenge, ledger.check_batch;

-- Issue a code for a device whose proof is new. `refused` names the obstacle; nothing is written then
-- but the proof.
--
-- Rows that another transaction has locked are skipped wherever rows are only cleaned up. No lock is
-- waited for here, so no check can wait for this. What is cleaned up follows from the server's clock and
-- from no argument: a code stays until it cannot be accepted any more, whether it was used or not, and
-- its digest stands for no other row meanwhile.
CREATE FUNCTION ledger.mint_code(
    new_code_digest bytea, of_permit text, of_holder text, of_device text, answers_challenge bytea,
    "at" timestamptz, until timestamptz, new_mac bytea, new_proof_digest bytea
) RETURNS TABLE (refused text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ledger.require_present("at");
    IF (until > "at" AND until <= "at" + interval '1 hour') IS NOT TRUE THEN
        RAISE EXCEPTION 'a code lives for an hour at most' USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM ledger.device_proofs WHERE proof_digest IN (
        SELECT proof_digest FROM ledger.device_proofs WHERE expires_at < now()
        ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.device_proofs (proof_digest, expires_at)
    VALUES (new_proof_digest, now() + interval '5 minutes') ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT 'proof';
        RETURN;
    END IF;

    IF answers_challenge IS NOT NULL AND NOT EXISTS (
        SELECT FROM ledger.challenges
        WHERE challenge_digest = answers_challenge AND used_at IS NULL AND expires_at > "at"
    ) THEN
        RETURN QUERY SELECT 'challenge';
        RETURN;
    END IF;

    DELETE FROM ledger.display_codes WHERE code_digest IN (
        SELECT code_digest FROM ledger.display_codes WHERE stored_at < now() - interval '25 hours'
        ORDER BY stored_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    -- Of this device's open codes the newest two stay: with this one there are the one shown, the next
    -- one, and one whose response was lost.
    UPDATE ledger.display_codes SET used_at = "at" WHERE code_digest IN (
        SELECT code_digest FROM ledger.display_codes
        WHERE code_digest IN (
            SELECT code_digest FROM ledger.display_codes
            WHERE permit_number = of_permit AND device = of_device
              AND used_at IS NULL AND expires_at > "at"
            ORDER BY issued_at DESC OFFSET 2)
        FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.display_codes (code_digest, permit_number, holder_id, device,
                                      challenge_digest, issued_at, expires_at, mac)
    VALUES (new_code_digest, of_permit, of_holder, of_device, answers_challenge, "at", until, new_mac);
END
$$;

-- Store a verifier's challenge; false where another one has the same digits, which are drawn again.
-- Of an account, which several checkers may share, the newest twenty are open.
CREATE FUNCTION ledger.ask_challenge(
    new_challenge_digest bytea, of_verifier bytea, in_scenario text, "at" timestamptz,
    until timestamptz
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM ledger.require_present("at");
    IF (until > "at" AND until <= "at" + interval '1 hour') IS NOT TRUE THEN
        RAISE EXCEPTION 'a challenge lives for an hour at most' USING ERRCODE = 'restrict_violation';
    END IF;
    DELETE FROM ledger.challenges WHERE challenge_digest IN (
        SELECT challenge_digest FROM ledger.challenges WHERE stored_at < now() - interval '2 hours'
        ORDER BY stored_at LIMIT 20 FOR UPDATE SKIP LOCKED);
    UPDATE ledger.challenges SET used_at = "at" WHERE challenge_digest IN (
        SELECT challenge_digest FROM ledger.challenges
        WHERE challenge_digest IN (
            SELECT challenge_digest FROM ledger.challenges
            WHERE verifier_index = of_verifier AND used_at IS NULL AND expires_at > "at"
            ORDER BY issued_at DESC OFFSET 19)
        FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.challenges (challenge_digest, verifier_index, scenario, issued_at, expires_at)
    VALUES (new_challenge_digest, of_verifier, in_scenario, "at", until) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;
-- As before, with its owner's rights; checks are dated in the present, and codes come with their MACs.
CREATE FUNCTION ledger.check_batch(
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
        UPDATE ledger.checks_head SET position = position + cardinality(record_state)
        RETURNING position - cardinality(record_state) INTO before;
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
REVOKE ALL ON FUNCTION ledger.mint_code, ledger.ask_challenge, ledger.check_batch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.mint_code, ledger.ask_challenge, ledger.check_batch TO permit_ledger_service;

-- Move a tree on from the state that the caller found, with the tiles that this changes; false if it is
-- in another state. A tree never shrinks or runs ahead of its log, and a hash that is stored never
-- changes. Whether the hashes are the log's, `verify-log` and the witnesses tell: leaves are made
-- outside the database.
CREATE FUNCTION ledger.grow_tree(
    of_tree text, old_size bigint, old_root bytea, new_size bigint, new_root bytea,
    tile_level smallint[], tile_index bigint[], tile_hashes bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ledger.trees SET size = new_size, root = new_root
    WHERE tree = of_tree AND size = old_size AND root = old_root;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF new_size <= old_size OR new_size > (CASE of_tree
        WHEN 'events' THEN (SELECT position FROM ledger.head)
        WHEN 'checks' THEN (SELECT position FROM ledger.checks_head)
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
REVOKE ALL ON FUNCTION ledger.grow_tree FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.grow_tree TO permit_ledger_service;

-- Whose a line is, as name and id of the key; NULL if it is no signature line of a note.
CREATE FUNCTION ledger.signature_key(line text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN line ~ '^— [^[:space:][:cntrl:]+]+ ([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?\n?$'
    THEN CASE
        WHEN octet_length(decode(split_part(line, ' ', 3), 'base64')) > 4
        THEN split_part(line, ' ', 2) || ' '
             || encode(substring(decode(split_part(line, ' ', 3), 'base64') FROM 1 FOR 4), 'hex')
    END
END;
REVOKE ALL ON FUNCTION ledger.signature_key FROM PUBLIC;

-- Keep signature lines of a checkpoint that is kept; returns how many of them it has now. Of each key
-- the first line stays, so no other comes beside the log's own, which is kept with its checkpoint.
-- Whether a line verifies, readers find out. A note has 64 lines at most: 16 are the log's. The
-- longest line has an ML-DSA-44 signature and a name of 255 bytes.
CREATE FUNCTION ledger.keep_signatures(
    of_tree text, of_size bigint, lines text[], are_cosignatures boolean
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(cardinality(lines), 0) NOT BETWEEN 1 AND 16 OR EXISTS (
        SELECT FROM unnest(lines) AS line
        WHERE octet_length(line) > 3584 OR ledger.signature_key(line) IS NULL
    ) THEN
        RAISE EXCEPTION 'a line is no signature' USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM FROM ledger.checkpoints WHERE tree = of_tree AND size = of_size FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no checkpoint of the tree of % is kept at %', of_tree, of_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature)
    SELECT of_tree, of_size, own.line, are_cosignatures FROM (
        SELECT DISTINCT ON (ledger.signature_key(line)) line, place
        FROM unnest(lines) WITH ORDINALITY AS each (line, place)
        WHERE NOT EXISTS (
            SELECT FROM ledger.checkpoint_signatures AS kept
            WHERE kept.tree = of_tree AND kept.size = of_size
              AND ledger.signature_key(kept.line) = ledger.signature_key(each.line)
        )
        ORDER BY ledger.signature_key(line), place
    ) AS own
    ORDER BY own.place
    LIMIT (
        SELECT greatest(CASE WHEN are_cosignatures THEN 48 ELSE 16 END - count(*), 0)
        FROM ledger.checkpoint_signatures AS kept
        WHERE kept.tree = of_tree AND kept.size = of_size AND kept.is_cosignature = are_cosignatures
    )
    ON CONFLICT DO NOTHING;
    RETURN (
        SELECT count(*) FROM ledger.checkpoint_signatures AS kept
        WHERE kept.tree = of_tree AND kept.size = of_size AND kept.line = ANY (lines)
    );
END
$$;
REVOKE ALL ON FUNCTION ledger.keep_signatures FROM PUBLIC;

-- Keep cosignatures of witnesses, as above.
CREATE FUNCTION ledger.keep_cosignatures(of_tree text, of_size bigint, lines text[]) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT ledger.keep_signatures(of_tree, of_size, lines, true);
END;
REVOKE ALL ON FUNCTION ledger.keep_cosignatures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_cosignatures TO permit_ledger_service;

-- Keep a checkpoint of the tree as it is now, with the log's own signatures; returns how many of them
-- it has. Its time is the server's; only a development service has a clock that is ahead of that.
CREATE FUNCTION ledger.keep_checkpoint(
    of_tree text, of_size bigint, of_root bytea, lines text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.trees
                   WHERE tree = of_tree AND size = of_size AND root = of_root) THEN
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
REVOKE ALL ON FUNCTION ledger.keep_checkpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_checkpoint TO permit_ledger_service;

-- Add a manifest at the next position, of more entries than the one before and of no more than the tree
-- of events has. Whether its root is the log's, `verify-log` tells.
CREATE FUNCTION ledger.add_manifest(at_position bigint, new_entry bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stated text[] := regexp_match(
        encode(new_entry, 'escape'),
        '^\{"log_root":"([0-9a-f]{64})","log_size":([1-9][0-9]{0,17}),"manifest_root":"[0-9a-f]{64}",'
        '"permits":([1-9][0-9]{0,17})\}$');
    newest record;
BEGIN
    SELECT position, substring(encode(entry, 'escape') FROM '"log_size":([0-9]{1,18})')::bigint AS log_size
    INTO newest FROM ledger.manifests ORDER BY position DESC LIMIT 1;
    IF at_position <> coalesce(newest.position, 0) + 1 OR stated IS NULL
       OR stated[2]::bigint <= newest.log_size OR stated[3]::bigint > stated[2]::bigint
       OR NOT EXISTS (
           SELECT FROM ledger.trees
           WHERE tree = 'events' AND size >= stated[2]::bigint
             AND (size > stated[2]::bigint OR encode(root, 'hex') = stated[1])
       ) THEN
        RAISE EXCEPTION 'no manifest can be added at %', at_position
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.manifests (position, entry) VALUES (at_position, new_entry);
END
$$;
REVOKE ALL ON FUNCTION ledger.add_manifest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.add_manifest TO permit_ledger_service;

-- Put a look on record; idempotent.
CREATE FUNCTION ledger.record_read(
    new_read_id uuid, "at" timestamptz, by_reader text, in_case text, of_what text, of_subject text,
    with_parameters jsonb, with_outcome text, of_request text
) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO ledger.audit_reads
        (read_id, read_at, reader, case_number, what, subject, parameters, outcome, correlation_id)
    VALUES (new_read_id, ledger.require_present("at"), by_reader, in_case, of_what, of_subject,
            with_parameters, with_outcome, of_request)
    ON CONFLICT (read_id) DO NOTHING;
END;
REVOKE ALL ON FUNCTION ledger.record_read FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.record_read TO permit_ledger_service;

-- Whose tokens the service believes: a database that has served one issuer serves no other, and none,
-- unless its owner says so.
CREATE TABLE ledger.issuer (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    name text NOT NULL,
    remembered_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN ledger.issuer.name IS '`iss` of the tokens that are believed';
GRANT SELECT ON ledger.issuer TO permit_ledger_service;

-- Remember the first issuer; returns the one that is remembered.
CREATE FUNCTION ledger.remember_issuer(first_issuer text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.issuer (name) VALUES (first_issuer) ON CONFLICT DO NOTHING;
    RETURN (SELECT name FROM ledger.issuer);
END
$$;
REVOKE ALL ON FUNCTION ledger.remember_issuer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.remember_issuer TO permit_ledger_service;
