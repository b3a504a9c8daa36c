-- name: mint_code
SELECT refused FROM ledger.mint_code(
    %(code_digest)s, %(permit_number)s, %(holder_id)s, %(device)s, %(challenge_digest)s, %(at)s,
    %(until)s, %(mac)s, %(proof_digest)s);

-- name: ask_challenge
SELECT ledger.ask_challenge(%(challenge_digest)s, %(verifier_index)s, %(scenario)s, %(at)s, %(until)s);
