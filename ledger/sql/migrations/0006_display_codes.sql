-- Live codes: shown on a phone, good for one check. Neither a code nor a challenge lies here, only
-- keyed digests of them; the key is outside the database.

CREATE TABLE ledger.display_codes (
    code_digest bytea NOT NULL,
    permit_number text NOT NULL,
    holder_id text NOT NULL,
    device text NOT NULL,
    challenge_digest bytea,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT display_codes_digest PRIMARY KEY (code_digest)
) WITH (fillfactor = 70); -- its one change, the use, stays on the row's page
CREATE INDEX display_codes_of_device ON ledger.display_codes (permit_number, device, issued_at DESC);
CREATE INDEX display_codes_expiry ON ledger.display_codes (expires_at);
COMMENT ON TABLE ledger.display_codes IS
    'codes of the last day, dead ones too: a check of one is shown to its holder';
COMMENT ON COLUMN ledger.display_codes.device IS 'thumbprint of the key that asked for it (RFC 7638)';
COMMENT ON COLUMN ledger.display_codes.challenge_digest IS 'good only for the check that asked this';
COMMENT ON COLUMN ledger.display_codes.used_at IS 'by the ledger''s clock; from then on it is dead';

CREATE TABLE ledger.challenges (
    challenge_digest bytea NOT NULL,
    verifier_index bytea NOT NULL,
    scenario text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CONSTRAINT challenges_digest PRIMARY KEY (challenge_digest)
) WITH (fillfactor = 70);
CREATE INDEX challenges_of_verifier ON ledger.challenges (verifier_index, issued_at DESC);
CREATE INDEX challenges_expiry ON ledger.challenges (expires_at);
COMMENT ON TABLE ledger.challenges IS 'digits that a checker shows and the holder''s phone answers';

CREATE TABLE ledger.device_proofs (
    proof_digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT device_proofs_digest PRIMARY KEY (proof_digest)
);
CREATE INDEX device_proofs_expiry ON ledger.device_proofs (expires_at);
COMMENT ON TABLE ledger.device_proofs IS
    'proofs of a device''s key that were heard, so that none is heard twice; by the server''s clock';

-- A row lock asks for UPDATE as well, where nothing is updated.
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger.display_codes, ledger.challenges,
                                        ledger.device_proofs TO permit_ledger_service;

-- A code for a device whose proof is new. `refused` names what stood in the way, with nothing
-- written but the proof.
--
-- Rows that somebody else holds are passed over wherever rows are only tidied away: nobody waits
-- for a lock here, so that nobody who checks can be waiting for us.
CREATE FUNCTION ledger.mint_code(
    new_code_digest bytea, of_permit text, of_holder text, of_device text, answers_challenge bytea,
    "at" timestamptz, until timestamptz, kept_for interval, open_max integer, tidied_max integer,
    new_proof_digest bytea, proof_kept_for interval
) RETURNS TABLE (refused text) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ledger.device_proofs WHERE proof_digest IN (
        SELECT proof_digest FROM ledger.device_proofs WHERE expires_at < now()
        ORDER BY expires_at LIMIT tidied_max FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.device_proofs (proof_digest, expires_at)
    VALUES (new_proof_digest, now() + proof_kept_for) ON CONFLICT DO NOTHING;
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
        SELECT code_digest FROM ledger.display_codes WHERE expires_at < "at" - kept_for
        ORDER BY expires_at LIMIT tidied_max FOR UPDATE SKIP LOCKED);
    -- Of this device's open codes the newest stay, so that with this one there are no more than may.
    UPDATE ledger.display_codes SET used_at = "at" WHERE code_digest IN (
        SELECT code_digest FROM ledger.display_codes
        WHERE code_digest IN (
            SELECT code_digest FROM ledger.display_codes
            WHERE permit_number = of_permit AND device = of_device
              AND used_at IS NULL AND expires_at > "at"
            ORDER BY issued_at DESC OFFSET open_max - 1)
        FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.display_codes
        (code_digest, permit_number, holder_id, device, challenge_digest, issued_at, expires_at)
    VALUES (new_code_digest, of_permit, of_holder, of_device, answers_challenge, "at", until);
END
$$;

-- A challenge of a verifier; false where another one has the same digits, which are drawn again.
CREATE FUNCTION ledger.ask_challenge(
    new_challenge_digest bytea, of_verifier bytea, in_scenario text, "at" timestamptz,
    until timestamptz, open_max integer, tidied_max integer
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM ledger.challenges WHERE challenge_digest IN (
        SELECT challenge_digest FROM ledger.challenges WHERE expires_at < "at"
        ORDER BY expires_at LIMIT tidied_max FOR UPDATE SKIP LOCKED);
    DELETE FROM ledger.challenges WHERE challenge_digest IN (
        SELECT challenge_digest FROM ledger.challenges
        WHERE challenge_digest IN (
            SELECT challenge_digest FROM ledger.challenges WHERE verifier_index = of_verifier
            ORDER BY issued_at DESC OFFSET open_max - 1)
        FOR UPDATE SKIP LOCKED);
    INSERT INTO ledger.challenges (challenge_digest, verifier_index, scenario, issued_at, expires_at)
    VALUES (new_challenge_digest, of_verifier, in_scenario, "at", until) ON CONFLICT DO NOTHING;
    RETURN FOUND;
END
$$;

-- One batch of checks: puts those that were decided on record, then uses the codes of those that are
-- to be decided next. All of it or nothing, in this order: whoever has the head's lock may wait for
-- a code, and whoever has a code never waits for the head.
--
-- A row comes back for each code, by its place; and one with the position before the first record,
-- whose place is null. A code is live for one row at most, whatever else is going on: the look that
-- decides sees what the locks have waited for.
CREATE FUNCTION ledger.check_batch(
    record_check_id uuid[], record_checked_at timestamptz[], record_permit_number text[],
    record_track text[], record_scenario text[], record_outcome text[], record_reason text[],
    record_verifier_index bytea[], record_as_of_position bigint[], record_state bytea[],
    code_number integer[], code_digest bytea[], code_challenge_digest bytea[],
    code_verifier_index bytea[], code_scenario text[], "at" timestamptz, ahead_max interval
) RETURNS TABLE (before bigint, number integer, permit_number text, holder_id text, device text,
                 is_live boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
BEGIN
    IF cardinality(record_check_id) > 0 THEN
        UPDATE ledger.checks_head SET position = position + cardinality(record_check_id)
        RETURNING position - cardinality(record_check_id) INTO before;
        INSERT INTO ledger.checks (position, check_id, checked_at, permit_number, track, scenario,
                                   outcome, reason, verifier_index, as_of_position, state)
        SELECT check_batch.before + own.number, own.check_id, own.checked_at, own.permit_number,
               own.track, own.scenario, own.outcome, own.reason, own.verifier_index,
               own.as_of_position, own.state
        FROM unnest(record_check_id, record_checked_at, record_permit_number, record_track,
                    record_scenario, record_outcome, record_reason, record_verifier_index,
                    record_as_of_position, record_state) WITH ORDINALITY
            AS own (check_id, checked_at, permit_number, track, scenario, outcome, reason,
                    verifier_index, as_of_position, state, number);
    END IF;
    RETURN NEXT;

    IF cardinality(code_digest) > 0 THEN
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
                   asked.challenge_digest,
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
        SELECT NULL::bigint, place, found.permit_number, found.holder_id, found.device, live
        FROM found;
    END IF;
END
$$;
