-- name: begin
CREATE TABLE recount.recounting (
    rules TEXT NOT NULL, marks TEXT NOT NULL, -- what is counted, by which rules
    subject TEXT NOT NULL, events INTEGER NOT NULL, -- the last one that was counted, and how many events
    checked_permit TEXT NOT NULL,
    check_position INTEGER NOT NULL
);

-- name: state
SELECT rules, marks FROM recount.recounting;

-- name: start
INSERT INTO recount.recounting VALUES (?, ?, '', 0, '', 0);

-- name: marks
SELECT coalesce(group_concat(feed || ' ' || part || ' ' || position || ' ' || next_offset), '')
FROM (SELECT * FROM main.progress ORDER BY feed, part);

-- name: reached
SELECT subject, events, checked_permit, check_position FROM recount.recounting;

-- name: next_events
SELECT subject, version, position, kind, name, recorded_at, station, actor, anchor, years, day, due_on,
    card_serial, division, reason
FROM main.events WHERE subject > ? ORDER BY subject, version, position LIMIT ?;

-- name: next_checks
SELECT position, checked_at, permit_number, track, scenario, outcome, reason, verifier
FROM main.checks WHERE position > ? ORDER BY position LIMIT ?;

-- name: count_checked_permits
SELECT count(DISTINCT permit_number) FROM main.checks WHERE permit_number IS NOT NULL;

-- name: next_checked_permits
SELECT DISTINCT permit_number FROM main.checks
WHERE permit_number IS NOT NULL AND permit_number > ? ORDER BY permit_number LIMIT ?;

-- name: reached_subject
UPDATE recount.recounting SET subject = ?, events = events + ?;

-- name: reached_check
UPDATE recount.recounting SET check_position = ?;

-- name: reached_permit
UPDATE recount.recounting SET checked_permit = ?;

-- name: keep_rules
UPDATE main.counted SET rules = ?, events = (SELECT events FROM recount.recounting);
