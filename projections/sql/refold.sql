-- name: delete
-- Rows that do not follow from the log.
DELETE FROM views.{table} WHERE {key} = %s;

-- name: prepare_retry
-- Limits the wait for a process that holds the views.
SELECT set_config('lock_timeout', '5s', true), set_config('statement_timeout', '10s', true);
