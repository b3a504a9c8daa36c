-- name: progress
SELECT part, next_offset, position, position_offset, seen FROM progress WHERE feed = ?;

-- name: move
INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?);

-- name: park
INSERT INTO parked (part, part_offset, reason, subject) VALUES (?, ?, ?, ?);

-- name: unlink_erased
-- Checks of an erased holder are kept, without the permit number.
UPDATE checks SET permit_number = NULL
WHERE position >= ? AND permit_number IN (SELECT subject FROM events WHERE name = 'holder-erased');

-- name: filled_from
SELECT layout, source FROM filled_from;

-- name: fill_from
INSERT INTO filled_from VALUES (?, ?);

-- name: vitals
SELECT (SELECT coalesce(max(position), 0) FROM progress WHERE feed = 'events') AS position,
       (SELECT count(*) FROM events) AS events,
       (SELECT coalesce(max(position), 0) FROM progress WHERE feed = 'checks') AS checks,
       (SELECT count(*) FROM parked) AS parked,
       (SELECT max(recorded_at) FROM events) AS recorded_at;

-- name: parked
SELECT reason, count(*) AS records, min(part) AS partition, min(part_offset) AS first_offset
FROM parked GROUP BY reason ORDER BY records DESC, reason LIMIT 20;
