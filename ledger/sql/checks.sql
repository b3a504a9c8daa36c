-- name: settle_checks_head
-- Waits for a commit in progress: afterwards a check whose result was lost is stored or never will be.
SELECT ledger.settle_checks_head();

-- name: stored_checks
SELECT check_id, position FROM ledger.checks WHERE check_id = ANY(%s);

-- name: checks_of_holder
-- The newest first, for every permit that the holder ever had.
SELECT checks.position, state, holders.holder_id, kek_id, wrapped
FROM ledger.holders CROSS JOIN LATERAL (
    SELECT * FROM ledger.checks
    WHERE checks.permit_number = ANY (holders.permit_numbers) AND checks.position < %(before)s
    ORDER BY position DESC LIMIT %(limit)s
) AS checks
WHERE holders.holder_id = %(holder_id)s
ORDER BY checks.position DESC;

-- name: check_of_holder
SELECT checks.position, state, holders.holder_id, kek_id, wrapped
FROM ledger.checks JOIN ledger.holders ON checks.permit_number = ANY (permit_numbers)
WHERE check_id = %(check_id)s AND holders.holder_id = %(holder_id)s;

-- name: checks_of_permit
-- The newest first; a missing holder key hides none of them.
SELECT checks.position, state, %(holder_id)s AS holder_id, kek_id, wrapped,
       holders.holder_id IS NOT NULL AS has_key
FROM ledger.checks LEFT JOIN ledger.holders ON holders.holder_id = %(holder_id)s
WHERE checks.permit_number = %(permit_number)s AND checks.position < %(before)s
ORDER BY checks.position DESC LIMIT %(limit)s;

-- name: checks_of_verifier
-- The newest first. The row at the position before is found first, so that each page is a range of the
-- index, however many come before it; of another verifier's, or of none, there is no next page.
SELECT position, state, '' AS holder_id, NULL::text AS kek_id, NULL::bytea AS wrapped FROM ledger.checks
WHERE verifier_index = %(verifier_index)s AND checked_at >= %(since)s
  AND (checked_at, position) < (
      CASE WHEN %(is_first)s THEN 'infinity'::timestamptz
           ELSE (SELECT last.checked_at FROM ledger.checks AS last
                 WHERE last.position = %(before)s AND last.verifier_index = %(verifier_index)s) END,
      %(before)s::bigint)
ORDER BY checked_at DESC, position DESC LIMIT %(limit)s;
