-- name: delete
-- Rows that the log does not make.
DELETE FROM views.{table} WHERE {key} = %s;

-- name: prepare_retry
-- Whoever has the views for longer is waited for no longer.
SELECT set_config('lock_timeout', '5s', true), set_config('statement_timeout', '10s', true);
