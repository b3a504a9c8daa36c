-- name: prepare
-- The auditor's statements take milliseconds; a longer one is cancelled in favour of the projector.
SELECT set_config('lock_timeout', '5s', false),
       set_config('statement_timeout', '10s', false),
       set_config('idle_in_transaction_session_timeout', '5s', false),
       set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false);

-- name: snapshot
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- name: streams
SELECT DISTINCT stream FROM ledger.events WHERE position = ANY(%s);

-- name: blocks
SELECT pg_relation_size('views.{table}') / current_setting('block_size')::bigint;

-- name: row_in_block
-- One of the rows in a block; nothing else of the table is read.
SELECT {key} FROM views.{table}
WHERE ctid >= %(first)s::tid AND ctid < %(beyond)s::tid ORDER BY random() LIMIT 1;

-- name: quarantined_by_auditor
SELECT count(*) FROM views.quarantine WHERE found_by = 'auditor';

-- name: count_permits
UPDATE views.audit SET permits = permits + %s, audited_at = now();

-- name: count_difference
UPDATE views.audit SET differences = differences + 1;
