-- name: lock
-- One projector at a time moves the views.
SELECT position FROM views.position FOR UPDATE;

-- name: select
SELECT position FROM views.position;

-- name: move
UPDATE views.position SET position = %s;

-- name: notify
SELECT pg_notify('permit_ledger_views', %s::text);
