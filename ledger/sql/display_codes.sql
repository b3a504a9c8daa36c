-- name: mint_code
SELECT refused FROM ledger.mint_code(
    %(code_digest)s, %(permit_number)s, %(holder_id)s, %(device)s, %(challenge_digest)s, %(at)s,
    %(until)s, %(kept_for)s, %(open_max)s, %(tidied_max)s, %(proof_digest)s, %(proof_kept_for)s);

-- name: ask_challenge
SELECT ledger.ask_challenge(%(challenge_digest)s, %(verifier_index)s, %(scenario)s, %(at)s,
                            %(until)s, %(open_max)s, %(tidied_max)s);
