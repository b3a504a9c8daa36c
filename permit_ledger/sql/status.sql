-- name: status
SELECT (SELECT position FROM ledger.head), (SELECT position FROM views.position),
       count(*), count(*) FILTER (WHERE ended IS NULL), count(*) FILTER (WHERE claimed),
       (SELECT position FROM ledger.checks_head), (SELECT count(*) FROM views.quarantine),
       (SELECT permits FROM views.audit), (SELECT differences FROM views.audit)
FROM views.permits;

-- name: trees
SELECT tree, size, stopped FROM ledger.trees ORDER BY tree = 'events' DESC, tree;

-- name: quarantine
SELECT permit_number, reason FROM views.quarantine ORDER BY position LIMIT %s;

-- name: relay
-- No row until a relay has run.
SELECT coalesce(position, 0), starts, stopped FROM ledger.relay WHERE starts > 0;
