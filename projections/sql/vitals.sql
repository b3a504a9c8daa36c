-- name: vitals
-- The health figures from one snapshot. Projectors are counted by the shared lock that each one holds:
-- connections are hidden from the service's role, locks are not.
SELECT head.position AS log, position.position AS views,
       (SELECT count(*) FROM views.quarantine) AS quarantined,
       audit.permits AS audited, audit.differences AS differences,
       (SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database
                                                    WHERE datname = current_database())
          AND classid = 0 AND objid = 1886547818 AND objsubid = 1 AND granted) AS projectors,
       (SELECT jsonb_object_agg(tree, jsonb_build_array(size, stopped IS NOT NULL))
        FROM unnest('{events,checks,manifests,audit-reads}'::text[]) AS name, ledger.tree_now(name)) AS trees,
       relay.position AS relay, relay.starts AS relay_starts,
       relay.stopped IS NOT NULL AS relay_stopped
FROM ledger.log_end() AS head (position) CROSS JOIN views.reached() AS position (position) CROSS JOIN views.audit
CROSS JOIN ledger.relay_now() AS relay;
