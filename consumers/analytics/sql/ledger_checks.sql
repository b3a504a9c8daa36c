-- name: checks
-- Of PostgreSQL. Who asked, and what was shown, is sealed and stays there.
SELECT position, checked_at AT TIME ZONE 'UTC' AS checked_at, permit_number, track, scenario, outcome,
       reason
FROM ledger.checks WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;
