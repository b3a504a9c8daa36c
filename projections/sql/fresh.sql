-- name: events
-- A stream's events and the log's head, from one snapshot; without events, one row with the head.
SELECT head.position AS head, events.position, stream, version, topic, state
FROM ledger.log_end() AS head (position) LEFT JOIN ledger.events ON stream = %(stream)s
ORDER BY version;

-- name: person
-- What it takes to show whose permit it is.
SELECT holder_id AS key_of, kek_id, wrapped, true AS has_key, restricted AS kept_unused,
       (SELECT image FROM ledger.portraits WHERE stream = %(stream)s AND version = 1) AS portrait_image
FROM ledger.holders WHERE holder_id = %(holder_id)s;
