-- name: begin
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: export
SELECT pg_export_snapshot();

-- name: trees
SELECT tree, size, root FROM ledger.trees;

-- name: leaf_tiles
SELECT index, hashes FROM ledger.tiles WHERE tree = %(tree)s AND level = 0 ORDER BY index;

-- name: upper_tile
SELECT hashes FROM ledger.tiles
WHERE tree = %(tree)s AND level = %(level)s AND index = %(index)s;

-- name: beyond_events
SELECT position FROM ledger.events WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;

-- name: beyond_audit_reads
SELECT entry FROM ledger.audit_reads WHERE entry > %(after)s ORDER BY entry LIMIT %(limit)s;

-- name: beyond_checks
SELECT position FROM ledger.checks WHERE position > %(after)s ORDER BY position LIMIT %(limit)s;

-- name: bounds
-- Streams that divide the log into ranges of about equal size, in the database's own order.
SELECT DISTINCT unnest(percentile_disc(%(fractions)s::double precision[])
                       WITHIN GROUP (ORDER BY stream)) AS bound
FROM ledger.events WHERE position = ANY (%(sample)s::bigint[])
ORDER BY bound;

-- name: streams_in_range
-- Whole streams, each in the order of its versions; a null bound is no bound.
SELECT position, stream, version, topic, state, salt FROM ledger.events
WHERE (%(lower)s::text IS NULL OR stream >= %(lower)s)
  AND (%(upper)s::text IS NULL OR stream < %(upper)s)
ORDER BY stream, version;

-- name: checks_in_range
-- An instant that is none, or outside of the years that can be read, is null: not what a state says.
SELECT position, check_id,
       CASE WHEN checked_at BETWEEN '1000-01-01' AND '9999-01-01' THEN checked_at END AS checked_at,
       permit_number, track, scenario, outcome, reason, verifier_index, as_of_position, state, salt
FROM ledger.checks WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: manifests_in_range
SELECT position, entry FROM ledger.manifests
WHERE position > %(after)s AND position <= %(until)s ORDER BY position;

-- name: audit_reads_in_range
SELECT entry, read_id::text,
       to_char(read_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS read_at,
       reader, case_number, what, subject, parameters::text, outcome, correlation_id, salt
FROM ledger.audit_reads WHERE entry > %(after)s AND entry <= %(until)s ORDER BY entry;

-- name: checkpoints
SELECT size, root FROM ledger.checkpoints WHERE tree = %(tree)s ORDER BY size;

-- name: checkpoint_bounds
-- A sample at a fixed interval.
SELECT size FROM (
    SELECT size, row_number() OVER (ORDER BY size) AS number
    FROM ledger.checkpoints WHERE tree = %(tree)s
) AS numbered WHERE number %% %(step)s = 0 ORDER BY size;

-- name: signed_between
SELECT size, root, (
    SELECT array_agg(line ORDER BY number)
    FROM ledger.checkpoint_signatures AS signed
    WHERE signed.tree = found.tree AND signed.size = found.size AND NOT is_cosignature
) FROM ledger.checkpoints AS found
WHERE tree = %(tree)s AND size > %(after)s AND size <= %(until)s ORDER BY size;

-- name: last_positions
-- Each permit's last event up to a position, in the order of the permits' bytes; each permit is found
-- from the one before.
WITH RECURSIVE found (stream) AS (
    (SELECT stream FROM ledger.events ORDER BY stream LIMIT 1)
    UNION ALL
    SELECT (SELECT stream FROM ledger.events WHERE stream > found.stream ORDER BY stream LIMIT 1)
    FROM found WHERE stream IS NOT NULL
)
SELECT found.stream, last.version, last.position
FROM found CROSS JOIN LATERAL (
    SELECT version, position FROM ledger.events
    WHERE events.stream = found.stream AND position <= %(size)s
    ORDER BY version DESC LIMIT 1
) AS last
ORDER BY found.stream COLLATE "C";

-- name: last_events_by_key
-- The same in the order of the streams' digests, which are their keys in the map.
WITH RECURSIVE found (stream) AS (
    (SELECT stream FROM ledger.events ORDER BY stream LIMIT 1)
    UNION ALL
    SELECT (SELECT stream FROM ledger.events WHERE stream > found.stream ORDER BY stream LIMIT 1)
    FROM found WHERE stream IS NOT NULL
)
SELECT sha256(convert_to(found.stream, 'UTF8')) AS key, found.stream,
       last.version, last.position, last.salt
FROM found CROSS JOIN LATERAL (
    SELECT version, position, salt FROM ledger.events
    WHERE events.stream = found.stream AND position <= %(size)s
    ORDER BY version DESC LIMIT 1
) AS last
ORDER BY key;

-- name: last_events_head
SELECT position, root FROM ledger.last_events;

-- name: last_events_tiles_below
-- The tiles whose paths begin with these slots.
SELECT path, slots FROM ledger.last_events_tiles
WHERE path >= %(first)s AND (%(end)s::bytea IS NULL OR path < %(end)s);

-- name: last_events_tiles_above
SELECT path, slots FROM ledger.last_events_tiles WHERE octet_length(path) < %(length)s;

-- name: events_at
SELECT position, stream, version, topic, state, salt FROM ledger.events
WHERE position = ANY (%(positions)s::bigint[]) ORDER BY position;

-- name: versions_at
SELECT stream, version, position FROM ledger.events
WHERE stream = ANY (%(streams)s::text[]) ORDER BY stream, version;

-- name: checks_at
SELECT position, check_id, state, salt FROM ledger.checks
WHERE position = ANY (%(positions)s::bigint[]) ORDER BY position;

-- name: manifests_at
SELECT position, entry FROM ledger.manifests
WHERE position = ANY (%(positions)s::bigint[]) ORDER BY position;

-- name: audit_reads_at
SELECT entry, read_id::text,
       to_char(read_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS read_at,
       reader, case_number, what, subject, parameters::text, outcome, correlation_id, salt
FROM ledger.audit_reads WHERE entry = ANY (%(positions)s::bigint[]) ORDER BY entry;

-- name: topics
-- Each found from the previous one.
WITH RECURSIVE found (topic) AS (
    (SELECT topic FROM ledger.events ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT (SELECT topic FROM ledger.events WHERE topic > found.topic ORDER BY topic LIMIT 1)
    FROM found WHERE topic IS NOT NULL
)
SELECT topic FROM found WHERE topic IS NOT NULL;

-- name: checkpoint_kept
SELECT root FROM ledger.checkpoints WHERE tree = %(tree)s AND size = %(size)s;

-- name: newest_size
SELECT coalesce(max(size), 0) FROM ledger.checkpoints WHERE tree = %(tree)s;

-- name: manifests
SELECT position, entry FROM ledger.manifests ORDER BY position;

-- name: manifests_from_the_newest
SELECT position, entry FROM ledger.manifests ORDER BY position DESC;

-- name: count_streams
SELECT count(*) FROM ledger.events WHERE version = 1;

-- name: count_events
-- Rows, and tiles of leaves.
SELECT (SELECT count(*) FROM ledger.events),
       (SELECT count(*) FROM ledger.tiles WHERE tree = %(tree)s AND level = 0);

-- name: count_checks
SELECT (SELECT count(*) FROM ledger.checks),
       (SELECT count(*) FROM ledger.tiles WHERE tree = %(tree)s AND level = 0);

-- name: count_audit_reads
SELECT (SELECT count(*) FROM ledger.audit_reads),
       (SELECT count(*) FROM ledger.tiles WHERE tree = %(tree)s AND level = 0);

-- name: count_manifests
SELECT (SELECT count(*) FROM ledger.manifests),
       (SELECT count(*) FROM ledger.tiles WHERE tree = %(tree)s AND level = 0);
