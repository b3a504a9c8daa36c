-- name: select_tree
SELECT size, root FROM ledger.tree_now(%(tree)s);

-- name: select_trees
SELECT tree, size, root, stopped
FROM unnest('{events,checks,manifests,audit-reads}'::text[]) AS name, ledger.tree_now(name);

-- name: stop_tree
UPDATE ledger.trees SET stopped = %(reason)s
WHERE tree = %(tree)s AND stopped IS DISTINCT FROM %(reason)s;

-- name: select_tiles
SELECT tiles.level, tiles.index, hashes
FROM unnest(%(levels)s::smallint[], %(indexes)s::bigint[]) AS wanted (level, index)
JOIN ledger.tiles ON tree = %(tree)s AND tiles.level = wanted.level AND tiles.index = wanted.index;

-- name: grow_tree
-- Only from its last state.
SELECT ledger.grow_tree(%(tree)s, %(old_size)s, %(old_root)s, %(size)s, %(root)s,
                        %(levels)s::smallint[], %(indexes)s::bigint[], %(hashes)s::bytea[]);

-- name: events_from
-- Events for the tree, each with the position of its stream's previous version, and the hash of that
-- one's leaf where the tree has it.
SELECT events.position, events.stream, events.version, events.topic, events.state, events.salt,
       before.position, before.leaf
FROM ledger.events LEFT JOIN LATERAL (
    SELECT before.position, (
        SELECT substring(hashes FROM ((before.position - 1) %% 256 * 32)::integer + 1 FOR 32)
        FROM ledger.tiles
        WHERE tree = 'events' AND level = 0 AND index = (before.position - 1) / 256
    ) AS leaf
    FROM ledger.events AS before
    WHERE events.version > 1 -- a first version has no predecessor
      AND before.stream = events.stream AND before.version = events.version - 1
    LIMIT 1
) AS before ON true
WHERE events.position > %(after)s AND events.position <= %(until)s
ORDER BY events.position;

-- name: events_page
-- Events for the tree; predecessors are looked up by themselves.
SELECT position, stream, version, topic, state, salt FROM ledger.events
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: leaves_of_versions
-- The leaf of each of these versions that the tree has.
SELECT wanted.stream, wanted.version, (
    SELECT substring(hashes FROM ((before.position - 1) %% 256 * 32)::integer + 1 FOR 32)
    FROM ledger.tiles
    WHERE tree = 'events' AND level = 0 AND index = (before.position - 1) / 256
)
FROM unnest(%(streams)s::text[], %(versions)s::integer[]) AS wanted (stream, version)
JOIN LATERAL (
    SELECT position FROM ledger.events
    WHERE events.stream = wanted.stream AND events.version = wanted.version
    LIMIT 1
) AS before ON true;

-- name: events_of
-- The same, of a page of one stream.
SELECT events.position, events.stream, events.version, events.topic, events.state, events.salt,
       before.position, before.leaf
FROM ledger.events LEFT JOIN LATERAL (
    SELECT before.position, (
        SELECT substring(hashes FROM ((before.position - 1) %% 256 * 32)::integer + 1 FOR 32)
        FROM ledger.tiles
        WHERE tree = 'events' AND level = 0 AND index = (before.position - 1) / 256
    ) AS leaf
    FROM ledger.events AS before
    WHERE events.version > 1 -- a first version has no predecessor
      AND before.stream = events.stream AND before.version = events.version - 1
    LIMIT 1
) AS before ON true
WHERE events.stream = %(stream)s
  AND events.version > %(after)s AND events.version <= %(until)s
ORDER BY events.position;

-- name: checks_from
SELECT position, check_id, state, salt FROM ledger.checks
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: manifests_from
SELECT position, entry FROM ledger.manifests
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: audit_reads_from
SELECT entry, read_id::text,
       to_char(read_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS read_at,
       reader, case_number, what, subject, parameters::text, outcome, correlation_id, salt
FROM ledger.audit_reads WHERE entry > %(after)s AND entry <= %(until)s ORDER BY entry;

-- name: events_head
SELECT position FROM ledger.log_end() AS head (position);

-- name: checks_head
SELECT position FROM ledger.checks_end() AS checks_head (position);

-- name: audit_reads_head
SELECT entry FROM ledger.audit_reads_end() AS head (entry);

-- name: manifests_head
SELECT coalesce(max(position), 0) FROM ledger.manifests;

-- name: stream_of
-- All events of the streams that have an event at one of these positions.
SELECT position, stream, version, topic, state, salt FROM ledger.events
WHERE stream IN (SELECT stream FROM ledger.events WHERE position = ANY (%(positions)s))
ORDER BY stream, version;

-- name: keep_checkpoint
SELECT ledger.keep_checkpoint(%(tree)s, %(size)s, %(root)s, %(lines)s::text[]);

-- name: keep_cosignatures
SELECT ledger.keep_cosignatures(%(tree)s, %(size)s, %(lines)s::text[]);

-- name: newest_checkpoint
SELECT size, root, (
    SELECT array_agg(line ORDER BY is_cosignature, number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size
) FROM ledger.checkpoints AS found
WHERE tree = %(tree)s AND size >= %(size_min)s AND size <= %(size_max)s
ORDER BY size DESC LIMIT %(limit)s;

-- name: oldest_checkpoint
-- The first checkpoints with such a leaf.
SELECT size, root, (
    SELECT array_agg(line ORDER BY is_cosignature, number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size
) FROM ledger.checkpoints AS found
WHERE tree = %(tree)s AND size >= %(size_min)s ORDER BY size LIMIT %(limit)s;

-- name: cosigned_checkpoints
-- The newest checkpoints with a cosignature.
SELECT size, root, (
    SELECT array_agg(line ORDER BY is_cosignature, number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size
) FROM (
    SELECT DISTINCT size FROM ledger.checkpoint_signatures
    WHERE tree = %(tree)s AND is_cosignature
      AND size >= %(size_min)s AND size <= %(size_max)s
    ORDER BY size DESC LIMIT %(limit)s
) AS cosigned JOIN ledger.checkpoints AS found USING (size)
WHERE tree = %(tree)s ORDER BY size DESC;

-- name: checkpoint_at
-- The newest checkpoints signed by then.
SELECT size, root, (
    SELECT array_agg(line ORDER BY is_cosignature, number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size
) FROM ledger.checkpoints AS found
WHERE tree = %(tree)s AND signed_at <= %(at)s ORDER BY size DESC LIMIT %(limit)s;

-- name: checkpoint_after
-- The first checkpoints signed later.
SELECT size, root, (
    SELECT array_agg(line ORDER BY is_cosignature, number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size
) FROM ledger.checkpoints AS found
WHERE tree = %(tree)s AND size > %(size_min)s AND signed_at > %(at)s ORDER BY size LIMIT %(limit)s;

-- name: ask_for_manifest
-- The integrator makes a manifest at once if the log has grown.
SELECT pg_notify('permit_ledger_tree', '');

-- name: last_events_head
SELECT position, root FROM ledger.last_events;

-- name: last_events_between
-- The last event of each stream that has one at these positions, with its leaf.
SELECT stream, version, salt, (
    SELECT substring(hashes FROM ((position - 1) %% 256 * 32)::integer + 1 FOR 32)
    FROM ledger.tiles
    WHERE tree = 'events' AND level = 0 AND index = (position - 1) / 256
)
FROM (
    SELECT DISTINCT ON (stream) stream, version, salt, position FROM ledger.events
    WHERE position > %(after)s AND position <= %(until)s ORDER BY stream, version DESC
) AS last;

-- name: select_last_events_tiles
SELECT path, slots FROM ledger.last_events_tiles WHERE path = ANY (%(paths)s::bytea[]);

-- name: store_last_events_tiles
INSERT INTO ledger.last_events_tiles (path, slots)
SELECT * FROM unnest(%(paths)s::bytea[], %(slots)s::bytea[])
ON CONFLICT (path) DO UPDATE SET slots = excluded.slots;

-- name: move_last_events
UPDATE ledger.last_events SET position = %(position)s, root = %(root)s;

-- name: last_event_path
-- The newest manifest, and of the map that it records the tiles on a path.
SELECT newest.position, entry, path, slots
FROM (SELECT position, entry FROM ledger.manifests ORDER BY position DESC LIMIT 1) AS newest
LEFT JOIN ledger.last_events_tiles ON path = ANY (%(paths)s::bytea[]);

-- name: add_manifest
SELECT ledger.add_manifest(%(position)s, %(entry)s);

-- name: newest_manifest
SELECT position, entry FROM ledger.manifests ORDER BY position DESC LIMIT 1;
