-- name: lock
-- One projector at a time moves the views.
SELECT position FROM views.position ORDER BY position DESC LIMIT 1 FOR UPDATE;

-- name: select
SELECT position FROM views.reached() AS position (position);

-- name: progress
SELECT position.position, head.position FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position);

-- name: as_of
SELECT position.position AS as_of_position, head.position AS head
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position);

-- name: move
UPDATE views.position SET position = %(until)s WHERE position = %(before)s;

-- name: notify
SELECT pg_notify('permit_ledger_views', %s::text);

-- name: prepare
-- A projector that stops in the middle of a page does not block others for long. A view's commit need
-- not reach the disk before it is visible, since the log that it was made from has. Rows are always
-- found by an index, though the plan was made when the view was empty. The shared lock, which all
-- projectors hold, is there to be counted: "proj".
SELECT set_config('synchronous_commit', 'off', false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
       set_config('lock_timeout', '5s', false),
       set_config('idle_in_transaction_session_timeout', '5s', false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       pg_advisory_lock_shared(1886547818);
