-- One batch of checks: put those that were decided on record, their columns made from their state, so
-- that they cannot contradict it; then use the codes of those that are to be decided next. All of it or
-- nothing, in this order: a transaction that holds the head's lock may wait for a code, and one that
-- holds a code never waits for the head.
--
-- A row is returned for each code, by its place; and one with the position before the first record,
-- whose place is null. A code is live for one row at most, whatever runs concurrently: the query that
-- decides sees what the locks have waited for. Whether the service itself stored the code, its MAC tells.
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
REVOKE ALL ON FUNCTION ledger.check_batch FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.check_batch TO permit_ledger_service;
