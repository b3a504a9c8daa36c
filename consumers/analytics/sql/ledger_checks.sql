-- name: checks
-- For PostgreSQL. The verifier's name and the disclosed fields are sealed, and are not read.
SELECT position, checked_at AT TIME ZONE 'UTC' AS checked_at, permit_number, track, scenario, outcome,
       reason, encode(verifier_index, 'hex') AS verifier
FROM ledger.checks WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;

-- name: officer_reads
-- For PostgreSQL: the records that each officer read on each of the last days of Asia/Shanghai.
SELECT (read_at AT TIME ZONE 'Asia/Shanghai')::date AS day, station, reader AS actor, count(*) AS reads
FROM ledger.registrar_reads WHERE read_at >= %(since)s
GROUP BY day, station, actor ORDER BY day DESC, reads DESC LIMIT 20000;
