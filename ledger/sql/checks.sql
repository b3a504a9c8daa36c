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
