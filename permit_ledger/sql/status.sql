-- name: status
SELECT (SELECT position FROM ledger.log_end() AS head (position)), (SELECT position FROM views.reached() AS position (position)),
       coalesce(permits, 0), coalesce(permits_open, 0), coalesce(claimed, 0),
       (SELECT position FROM ledger.checks_end() AS checks_head (position)), (SELECT count(*) FROM views.quarantine),
       (SELECT permits FROM views.audit), (SELECT differences FROM views.audit)
FROM (VALUES (true)) AS always LEFT JOIN views.counts_of('views.electronic_permits') ON true;

-- name: trees
SELECT tree, size, stopped
FROM unnest('{events,checks,manifests,audit-reads}'::text[]) AS name, ledger.tree_now(name)
ORDER BY tree = 'events' DESC, tree;

-- name: quarantine
SELECT permit_number, reason FROM views.quarantine ORDER BY position LIMIT %s;

-- name: relay
-- No row until a relay has run.
SELECT coalesce(position, 0), starts, stopped FROM ledger.relay_now() WHERE starts > 0;
