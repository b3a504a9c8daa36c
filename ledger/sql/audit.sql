-- name: history
-- A page of a stream's events and the log's head, from one snapshot; without events, one row with the
-- head.
SELECT head.position AS head, events.position, stream, version, topic, state
FROM ledger.log_end() AS head (position) LEFT JOIN LATERAL (
    SELECT * FROM ledger.events WHERE stream = %(stream)s AND version > %(after)s
    ORDER BY version LIMIT %(limit)s
) AS events ON true
ORDER BY version;

-- name: missing_versions
-- Those before the stream's last one, the first of them.
SELECT generate_series(previous + 1, version - 1) AS missing FROM (
    SELECT version, lag(version, 1, 0) OVER (ORDER BY version) AS previous
    FROM ledger.events WHERE stream = %(stream)s
) AS versions WHERE version > previous + 1
ORDER BY missing LIMIT %(limit)s;

-- name: last_protection
-- The last event of a stream by which its holder's data was restricted, released or erased.
SELECT topic FROM ledger.events
WHERE stream = %(stream)s
  AND topic ~ '\.holder-(erased|restricted|restriction-lifted)\.v[1-9][0-9]*$'
ORDER BY version DESC LIMIT 1;

-- name: record_read
-- Idempotent.
SELECT ledger.record_read(%(read_id)s, %(read_at)s, %(reader)s, %(case)s, %(what)s, %(subject)s,
                          %(parameters)s, %(outcome)s, %(correlation_id)s);

-- name: reads
-- The newest first. An instant that is none, or outside of the years that can be read, is null.
SELECT position, read_id,
       CASE WHEN read_at BETWEEN '1000-01-01' AND '9999-01-01' THEN read_at END AS read_at, reader,
       case_number, what, subject, parameters, outcome, correlation_id
FROM ledger.audit_reads
WHERE position < %(before)s AND (%(subject)s::text IS NULL OR subject = %(subject)s)
  AND (%(case)s::text IS NULL OR case_number = %(case)s)
  AND (%(reader)s::text IS NULL OR reader = %(reader)s)
ORDER BY position DESC LIMIT %(limit)s;
