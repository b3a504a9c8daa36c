-- name: status
SELECT (SELECT position FROM ledger.head), (SELECT position FROM views.position),
       count(*), count(*) FILTER (WHERE ended IS NULL), count(*) FILTER (WHERE claimed),
       (SELECT count(*) FROM ledger.checks)
FROM views.permits;
