-- name: status
SELECT (SELECT position FROM ledger.head), (SELECT position FROM views.position),
       count(*), count(*) FILTER (WHERE ended IS NULL), count(*) FILTER (WHERE claimed),
       (SELECT position FROM ledger.checks_head)
FROM views.permits;
