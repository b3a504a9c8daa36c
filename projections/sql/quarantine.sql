-- name: quarantined
-- Which of these permits are in quarantine, and from which position on.
SELECT permit_number, position FROM views.quarantine WHERE permit_number = ANY(%s);

-- name: put
-- A permit that is already in quarantine keeps the event that it was quarantined for.
INSERT INTO views.quarantine (permit_number, position, version, topic, found_by, reason, trace)
VALUES (%(permit_number)s, %(position)s, %(version)s, %(topic)s, %(found_by)s, %(reason)s, %(trace)s)
ON CONFLICT (permit_number) DO NOTHING;

-- name: count
SELECT count(*) FROM views.quarantine;

-- name: list
SELECT quarantine.permit_number, quarantine.position, quarantine.version, quarantine.topic, found_by,
       reason, trace, parked_at, retries, retried_at,
       (SELECT count(*) FROM ledger.events
        WHERE stream = permit_number AND events.version >= quarantine.version) AS events_waiting
FROM views.quarantine
WHERE (%(permit_number)s::text IS NULL OR permit_number = %(permit_number)s)
ORDER BY quarantine.position LIMIT %(rows_max)s;

-- name: record_failed_retry
UPDATE views.quarantine
SET position = %(position)s, version = %(version)s, topic = %(topic)s, reason = %(reason)s,
    trace = %(trace)s, retries = retries + 1, retried_at = now()
WHERE permit_number = %(permit_number)s;

-- name: release
DELETE FROM views.quarantine WHERE permit_number = %s;

-- name: events
-- Permits' events up to the views' position.
SELECT position, stream, version, topic, state FROM ledger.events
WHERE stream = ANY(%(permit_numbers)s) AND position <= %(until)s ORDER BY stream, version;
