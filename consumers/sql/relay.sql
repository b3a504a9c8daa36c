-- name: cursor
SELECT position, ends FROM ledger.relay_now();

-- name: head
-- The statement starts before it reads the log, so the instant never claims a later append.
SELECT position, statement_timestamp() FROM ledger.log_end() AS head (position);

-- name: move
SELECT ledger.move_relay(%(position)s, %(ends)s);

-- name: begin
UPDATE ledger.relay SET starts = starts + 1;

-- name: begun
-- The relay continues from the topics' tail.
UPDATE ledger.relay SET position = %(position)s, stopped = CASE WHEN %(is_refused)s THEN stopped END;

-- name: stop
UPDATE ledger.relay SET stopped = %(reason)s WHERE stopped IS DISTINCT FROM %(reason)s;

-- name: resume
UPDATE ledger.relay SET stopped = NULL;

-- name: forget
-- Trust the topics; only where the relay has stopped.
UPDATE ledger.relay SET position = NULL, ends = '{}', stopped = NULL WHERE stopped IS NOT NULL
RETURNING true;

-- name: event_at
SELECT stream, version, topic, state FROM ledger.events WHERE position = %(position)s;

-- name: events_before
-- The events of these streams up to a position.
SELECT position, stream, version, topic, state FROM ledger.events
WHERE stream = ANY(%(streams)s) AND position <= %(through)s ORDER BY stream, version;
