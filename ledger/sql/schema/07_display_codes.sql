-- Live codes: shown on a phone, good for one check. Neither a code nor a challenge is stored, only keyed
-- digests of them; the key is outside the database.

CREATE TABLE ledger.display_codes (
    code_digest bytea NOT NULL,
    permit_number text NOT NULL,
    holder_id text NOT NULL,
    device text NOT NULL,
    challenge_digest bytea,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    stored_at timestamptz NOT NULL DEFAULT now(),
    mac bytea,
    CONSTRAINT display_codes_digest PRIMARY KEY (code_digest)
) WITH (fillfactor = 70); -- its one change, the use, stays on the row's page
CREATE INDEX display_codes_of_device ON ledger.display_codes (permit_number, device, issued_at DESC);
CREATE INDEX display_codes_stored ON ledger.display_codes (stored_at);
COMMENT ON TABLE ledger.display_codes IS
    'codes of the last day, dead ones too: a check of one is shown to its holder';
COMMENT ON COLUMN ledger.display_codes.device IS 'thumbprint of the key that asked for it (RFC 7638)';
COMMENT ON COLUMN ledger.display_codes.challenge_digest IS 'good only for the check that asked this';
COMMENT ON COLUMN ledger.display_codes.used_at IS 'by the ledger''s clock; from then on it is dead';
COMMENT ON COLUMN ledger.display_codes.stored_at IS 'by the server''s clock; kept for a day and an hour from then on';
COMMENT ON COLUMN ledger.display_codes.mac IS
    'the service''s keyed digest of code, permit, holder, phone, challenge and life: no other row is believed';

CREATE TABLE ledger.challenges (
    challenge_digest bytea NOT NULL,
    verifier_index bytea NOT NULL,
    scenario text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    stored_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT challenges_digest PRIMARY KEY (challenge_digest)
) WITH (fillfactor = 70);
CREATE INDEX challenges_of_verifier ON ledger.challenges (verifier_index, issued_at DESC);
CREATE INDEX challenges_stored ON ledger.challenges (stored_at);
COMMENT ON TABLE ledger.challenges IS 'digits that a checker shows and the holder''s phone answers';

CREATE TABLE ledger.device_proofs (
    proof_digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT device_proofs_digest PRIMARY KEY (proof_digest)
);
CREATE INDEX device_proofs_expiry ON ledger.device_proofs (expires_at);
COMMENT ON TABLE ledger.device_proofs IS
    'proofs of a device''s key that were heard, so that none is heard twice; by the server''s clock';

GRANT SELECT ON ledger.display_codes, ledger.challenges, ledger.device_proofs TO permit_ledger_service;

-- Up to when the rows of a table that are over have been deleted. The next ones are looked for from there,
-- since rows that were deleted while a snapshot is held open stay in the index. Each row is found by its
-- instant, the last one first, like ledger.head; who cleans up holds it, and others meanwhile do not.
CREATE TABLE ledger.swept (
    what text NOT NULL,
    until timestamptz NOT NULL
);
CREATE UNIQUE INDEX swept_until ON ledger.swept (what, until);
INSERT INTO ledger.swept (what, until)
SELECT what, '-infinity' FROM unnest('{challenges,device_proofs,display_codes}'::text[]) AS what;

-- Delete the next twenty rows of a table that are over: those of before an instant, by a column with an
-- index. Rows of one instant that are not all among them are deleted next time.
CREATE FUNCTION ledger.sweep(of_table text, over_column text, over timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    low timestamptz;
    high timestamptz;
BEGIN
    SELECT until INTO low FROM ledger.swept WHERE what = of_table
    ORDER BY until DESC LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    EXECUTE format(
        'WITH gone AS MATERIALIZED ('
        '    SELECT ctid AS place, %2$I AS at FROM ledger.%1$I WHERE %2$I >= $1 AND %2$I < $2'
        '    ORDER BY %2$I LIMIT 20 FOR UPDATE SKIP LOCKED'
        '), deleted AS ('
        '    DELETE FROM ledger.%1$I WHERE ctid = ANY (ARRAY(SELECT place FROM gone)) RETURNING %2$I AS at'
        ') SELECT max(at) FROM deleted', of_table, over_column)
    INTO high USING low, over;
    IF high > low THEN
        UPDATE ledger.swept SET until = high WHERE what = of_table AND until = low;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ledger.sweep FROM PUBLIC;

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
    PERFORM ledger.sweep('device_proofs', 'expires_at', now());
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

    PERFORM ledger.sweep('display_codes', 'stored_at', now() - interval '25 hours');
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
    PERFORM ledger.sweep('challenges', 'stored_at', now() - interval '2 hours');
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
REVOKE ALL ON FUNCTION ledger.mint_code, ledger.ask_challenge FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.mint_code, ledger.ask_challenge TO permit_ledger_service;
