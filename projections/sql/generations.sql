-- name: forget
SELECT views.forget(%s);

-- name: begin
-- Done before reading: a permit that is quarantined now may be released before the end.
INSERT INTO views.builds (view, state, position, behind)
VALUES (%s, 'building', %s, ARRAY(SELECT permit_number FROM views.quarantine)) RETURNING build_id;

-- name: left_over
-- Builds that were interrupted.
UPDATE views.builds SET state = 'failed', finished_at = now() WHERE view = %s AND state = 'building';

-- name: loaded
UPDATE views.builds SET position = %(position)s, permits = %(permits)s, events = %(events)s
WHERE build_id = %(build_id)s;

-- name: reached
UPDATE views.builds
SET position = %(position)s,
    behind = ARRAY(SELECT unnest(behind) UNION SELECT unnest(%(poisoned)s::text[])
                   UNION SELECT permit_number FROM views.quarantine)
WHERE build_id = %(build_id)s;

-- name: behind
-- A permit that is still in quarantine is left there.
SELECT number FROM views.builds, unnest(behind) AS number
WHERE build_id = %s AND number NOT IN (SELECT permit_number FROM views.quarantine);

-- name: mended
UPDATE views.builds SET behind = ARRAY(SELECT permit_number FROM views.quarantine) WHERE build_id = %s;

-- name: position_of
SELECT position FROM views.builds WHERE build_id = %s;

-- name: finish
UPDATE views.builds
SET state = %(state)s, differences = %(differences)s, compared_with = %(compared_with)s,
    finished_at = now()
WHERE build_id = %(build_id)s;

-- name: previous
SELECT build_id FROM views.builds WHERE view = %s AND state = 'previous';

-- name: demote
-- The previous generation is kept at its position; the one kept before is dropped.
WITH gone AS (
    UPDATE views.builds SET state = 'gone' WHERE view = %(view)s AND state = 'previous'
), demoted AS (
    UPDATE views.builds
    SET state = 'previous', position = %(position)s,
        behind = ARRAY(SELECT permit_number FROM views.quarantine)
    WHERE view = %(view)s AND state = 'live' RETURNING 1
)
INSERT INTO views.builds (view, state, position, behind, finished_at)
SELECT %(view)s, 'previous', %(position)s, ARRAY(SELECT permit_number FROM views.quarantine), now()
WHERE NOT EXISTS (SELECT FROM demoted);

-- name: promote
UPDATE views.builds SET state = 'live' WHERE build_id = %s;

-- name: exists
SELECT to_regclass(%s) IS NOT NULL;

-- name: is_ascending
SELECT %(bounds)s::text[] = ARRAY(SELECT bound FROM unnest(%(bounds)s::text[]) AS bound ORDER BY bound);

-- name: move_counts
UPDATE views.counts SET relation = %(new)s WHERE relation = %(old)s;

-- name: drop_counts
DELETE FROM views.counts WHERE relation = %s;

-- name: permits_view
-- Both tracks in one row.
CREATE VIEW views.permits AS
SELECT physical.*, electronic.card_serial AS electronic_card_serial, electronic.claimed,
       electronic.devices
FROM views.physical_permits AS physical
JOIN views.electronic_permits AS electronic USING (permit_number);
GRANT SELECT ON views.permits TO permit_ledger_service;

-- name: columns
SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attname;

-- name: permits_in_range
-- Permit by permit, each with its events in order.
SELECT position, stream, version, topic, state FROM ledger.events
WHERE position <= %(until)s
  AND (%(lower)s::text IS NULL OR stream >= %(lower)s)
  AND (%(upper)s::text IS NULL OR stream < %(upper)s)
ORDER BY stream, version;

-- name: page
SELECT position, stream, version, topic, state FROM ledger.events
WHERE position > %(after)s AND position <= %(until)s ORDER BY position LIMIT %(events_max)s;

-- name: touched
SELECT DISTINCT stream FROM ledger.events WHERE position > %(after)s AND position <= %(until)s;

-- name: erased_since
-- Permits whose erasure is in the log and not yet in the views.
SELECT DISTINCT stream FROM ledger.events
WHERE stream = ANY(%(permit_numbers)s) AND position > %(after)s AND topic = ANY(%(topics)s);

-- name: quarantined
SELECT permit_number FROM views.quarantine;

-- name: keep_difference
INSERT INTO views.differences (build_id, permit_number, columns, live, fresh)
VALUES (%(build_id)s, %(permit_number)s, %(columns)s, %(live)s, %(fresh)s)
ON CONFLICT DO NOTHING;
