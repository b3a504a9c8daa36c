-- name: select_tree
SELECT size, root FROM ledger.trees WHERE tree = %(tree)s;

-- name: select_trees
SELECT tree, size, root, stopped FROM ledger.trees;

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
SELECT events.position, events.stream, events.version, events.topic, events.state,
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

-- name: checks_from
SELECT position, check_id, state FROM ledger.checks
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: manifests_from
SELECT position, entry FROM ledger.manifests
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: events_head
SELECT position FROM ledger.head;

-- name: checks_head
SELECT position FROM ledger.checks_head;

-- name: manifests_head
SELECT coalesce(max(position), 0) FROM ledger.manifests;

-- name: stream_of
-- All events of the streams that have an event at one of these positions.
SELECT stream, version, position, topic, state FROM ledger.events
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

-- name: last_versions
-- Each permit's last event up to a position, in the order of the permits' bytes; each permit is found
-- from the one before.
WITH RECURSIVE found (stream) AS (
    (SELECT stream FROM ledger.events ORDER BY stream LIMIT 1)
    UNION ALL
    SELECT (SELECT stream FROM ledger.events WHERE stream > found.stream ORDER BY stream LIMIT 1)
    FROM found WHERE stream IS NOT NULL
)
SELECT found.stream, last.version, last.leaf
FROM found CROSS JOIN LATERAL (
    SELECT version, (
        SELECT substring(hashes FROM ((position - 1) %% 256 * 32)::integer + 1 FOR 32)
        FROM ledger.tiles
        WHERE tree = 'events' AND level = 0 AND index = (position - 1) / 256
    ) AS leaf
    FROM ledger.events
    WHERE events.stream = found.stream AND position <= %(size)s
    ORDER BY version DESC LIMIT 1
) AS last
ORDER BY found.stream COLLATE "C";

-- name: add_manifest
SELECT ledger.add_manifest(%(position)s, %(entry)s);

-- name: newest_manifest
SELECT position, entry FROM ledger.manifests ORDER BY position DESC LIMIT 1;

-- name: clear_manifest_tiles
DELETE FROM ledger.manifest_tiles;

-- name: store_manifest_tile
INSERT INTO ledger.manifest_tiles (level, index, hashes, streams, versions)
VALUES (%s, %s, %s, %s, %s);

-- name: manifest_row
-- The tile of a permit in the manifest, if there is one.
SELECT index, streams, versions FROM ledger.manifest_tiles
WHERE level = 0 AND streams[1] <= %(stream)s COLLATE "C"
ORDER BY streams[1] DESC LIMIT 1;

-- name: select_manifest_tiles
SELECT tiles.level, tiles.index, hashes
FROM unnest(%(levels)s::smallint[], %(indexes)s::bigint[]) AS wanted (level, index)
JOIN ledger.manifest_tiles AS tiles ON tiles.level = wanted.level AND tiles.index = wanted.index;
