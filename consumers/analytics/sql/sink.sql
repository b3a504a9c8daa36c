-- name: progress
SELECT part, next_offset, position, position_offset, seen FROM progress WHERE feed = ?;

-- name: move
INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?, ?);

-- name: park
INSERT INTO parked (part, part_offset, reason, subject) VALUES (?, ?, ?, ?);

-- name: park_reason
INSERT INTO parked_reasons VALUES (?3, 1, ?1, ?2)
ON CONFLICT (reason) DO UPDATE SET records = records + 1;

-- name: put_event
INSERT INTO events (position, kind, name, type_version, subject, version, recorded_at, station, actor,
    anchor, years, day, due_on, card_serial, division, reason, fee_yuan)
VALUES (:position, :kind, :name, :type_version, :subject, :version, :recorded_at, :station, :actor,
    :anchor, :years, :day, :due_on, :card_serial, :division, :reason, :fee_yuan);

-- name: put_check
INSERT INTO checks VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: put_read
INSERT INTO officer_reads VALUES (:day, :station, :actor, :reads);

-- name: history
SELECT version, position, kind, name, recorded_at, station, actor, anchor, years, day, due_on, card_serial,
    division, reason
FROM events WHERE subject = ? ORDER BY version, position;

-- name: checks_of
SELECT position, checked_at, permit_number, track, scenario, outcome, reason, verifier
FROM checks WHERE permit_number = ? ORDER BY position;

-- name: is_erased
SELECT 1 FROM events WHERE subject = ? AND name = 'holder-erased' LIMIT 1;

-- name: unlink
-- Checks of an erased holder are kept, without the permit number.
UPDATE checks SET permit_number = NULL WHERE permit_number = ?;

-- name: count_events
UPDATE counted SET events = events + ?, recorded_at = nullif(max(coalesce(recorded_at, ''), ?), '');

-- name: filled_from
SELECT layout, source FROM filled_from;

-- name: fill_from
INSERT INTO filled_from VALUES (?, ?);

-- name: begin_counting
INSERT INTO counted VALUES (?, 0, NULL);

-- name: rules
SELECT rules FROM counted;

-- name: vitals
SELECT (SELECT coalesce(max(position), 0) FROM progress WHERE feed = 'events') AS position,
       events,
       (SELECT coalesce(max(position), 0) FROM progress WHERE feed = 'checks') AS checks,
       (SELECT coalesce(sum(records), 0) FROM parked_reasons) AS parked,
       recorded_at
FROM counted;

-- name: parked
SELECT reason, records, "partition", first_offset FROM parked_reasons
ORDER BY records DESC, reason LIMIT 20;
