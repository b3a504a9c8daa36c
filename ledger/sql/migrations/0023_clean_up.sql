-- What is cleaned up as it goes, is looked for from where the last clean-up ended (ADR 34).

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
CREATE OR REPLACE FUNCTION ledger.mint_code(
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
CREATE OR REPLACE FUNCTION ledger.ask_challenge(
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
