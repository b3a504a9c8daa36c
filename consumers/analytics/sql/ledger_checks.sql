-- name: checks
-- For PostgreSQL. The verifier and the disclosed fields are sealed, and are not read.
SELECT position, checked_at AT TIME ZONE 'UTC' AS checked_at, permit_number, track, scenario, outcome,
       reason
FROM ledger.checks WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;
