-- name: checks
-- For PostgreSQL. The verifier's name and the disclosed fields are sealed, and are not read. A check of no
-- instant that can be read counts as one of 1970.
SELECT position,
       CASE WHEN checked_at BETWEEN '1000-01-01' AND '9999-01-01' THEN checked_at ELSE 'epoch' END
           AT TIME ZONE 'UTC' AS checked_at, permit_number,
       track, scenario, outcome, reason, encode(verifier_index, 'hex') AS verifier
FROM ledger.checks WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;

-- name: officer_reads
-- For PostgreSQL: the records that each officer read on each of the last days of Asia/Shanghai; a
-- read of no instant that can be read is not counted.
SELECT (read_at AT TIME ZONE 'Asia/Shanghai')::date AS day, station, reader AS actor, count(*) AS reads
FROM ledger.registrar_reads WHERE read_at BETWEEN %(since)s AND '9999-01-01'
GROUP BY day, station, actor ORDER BY day DESC, reads DESC LIMIT 20000;
