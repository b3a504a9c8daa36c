-- name: lock
-- One projector at a time moves the views.
SELECT position FROM views.position FOR UPDATE;

-- name: select
SELECT position FROM views.position;

-- name: progress
SELECT position.position, head.position FROM views.position CROSS JOIN ledger.head;

-- name: move
UPDATE views.position SET position = %s;

-- name: notify
SELECT pg_notify('permit_ledger_views', %s::text);

-- name: try_to_lead
SELECT pg_try_advisory_lock(%s);

-- name: prepare
-- A projector that stops in the middle of a page keeps nobody waiting for long; a view's commit need
-- not reach the disk before it is seen, since the log that it was made from has. And each look is one
-- into an index, though the plan was made when the view was empty. The lock that all of them share is
-- there to be counted: "proj".
SELECT set_config('synchronous_commit', 'off', false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
       set_config('lock_timeout', '5s', false),
       set_config('idle_in_transaction_session_timeout', '5s', false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       pg_advisory_lock_shared(1886547818);
