-- name: source
SELECT source, topic, topic_id FROM views.feed;

-- name: database_id
SELECT feed_id::text FROM views.feed;

-- name: log_head
SELECT position FROM ledger.log_end() AS head (position);

-- name: begin
-- Of several workers that begin at once, one inserts the row.
INSERT INTO views.feed (source, topic, topic_id) VALUES (%(source)s, %(topic)s, %(topic_id)s)
ON CONFLICT DO NOTHING;

-- name: begin_partitions
INSERT INTO views.feed_partitions (partition) SELECT generate_series(0, %s - 1) ON CONFLICT DO NOTHING;

-- name: restart_topic
-- Positions stay: records that are read again are recognised by them.
WITH found AS (
    UPDATE views.feed SET topic_id = %(topic_id)s WHERE topic_id <> %(topic_id)s RETURNING 1
)
UPDATE views.feed_partitions
SET epoch = epoch + 1, next_offset = 0, in_step_at = NULL, behind_records = NULL
WHERE EXISTS (SELECT FROM found);

-- name: claim
-- Waits for a worker that is writing at this moment, whose epoch is outdated afterwards.
UPDATE views.feed_partitions SET epoch = epoch + 1 WHERE partition = ANY (%s)
RETURNING partition, epoch, next_offset;

-- name: lock
-- No other worker claims them until this transaction ends.
SELECT partition, epoch, next_offset, position, bad_records
FROM views.feed_partitions WHERE partition = ANY (%s) ORDER BY partition FOR UPDATE;

-- name: move
UPDATE views.feed_partitions SET next_offset = %(next_offset)s, position = %(position)s,
    recorded_at = coalesce(%(recorded_at)s, recorded_at), bad_records = bad_records + %(bad_records)s
WHERE partition = %(partition)s;

-- name: held
-- Which versions the rows of these permits hold.
SELECT permit_number, version FROM views.physical_permits WHERE permit_number = ANY (%s);

-- name: bad_record
INSERT INTO views.bad_records (topic_id, partition, record_offset, reason, permit_number, value_bytes)
SELECT topic_id, %(partition)s, %(offset)s, %(reason)s, %(permit_number)s, %(value_bytes)s
FROM views.feed
ON CONFLICT DO NOTHING;

-- name: clock
SELECT clock_timestamp();

-- name: record_end
UPDATE views.feed_partitions SET asked_at = %(asked_at)s, behind_records = %(behind_records)s,
    in_step_at = greatest(in_step_at, %(in_step_at)s)
WHERE partition = %(partition)s AND epoch = %(epoch)s;

-- name: partitions
-- In order. in_step_at is the ledger's clock, which has to agree with this database's.
SELECT partition, position, recorded_at, behind_records, bad_records,
       extract(epoch FROM clock_timestamp() - in_step_at)::float8 AS stale_s,
       extract(epoch FROM clock_timestamp() - asked_at)::float8 AS asked_ago_s
FROM views.feed_partitions ORDER BY partition;

-- name: bad_records
SELECT partition, record_offset, reason, permit_number FROM views.bad_records
ORDER BY found_at DESC, partition, record_offset DESC LIMIT %s;

-- name: card
-- One row if the partition exists; NULLs beside its position if there is no such permit.
SELECT part.position AS as_of_position, physical_permits.*,
       extract(epoch FROM clock_timestamp() - part.in_step_at)::float8 AS stale_s,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_quarantined
FROM views.feed_partitions AS part
LEFT JOIN views.physical_permits ON physical_permits.permit_number = %(permit_number)s
WHERE part.partition = %(partition)s;

-- name: quarantined
SELECT count(*) AS permits FROM views.quarantine;
