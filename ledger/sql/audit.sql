-- name: history
-- A stream's events and the log's head, from one snapshot; without events, one row with the head.
SELECT head.position AS head, events.position, stream, version, topic, state
FROM ledger.head LEFT JOIN LATERAL (
    SELECT * FROM ledger.events WHERE stream = %(stream)s ORDER BY version LIMIT %(limit)s
) AS events ON true
ORDER BY version;

-- name: record_read
-- Idempotent.
SELECT ledger.record_read(%(read_id)s, %(read_at)s, %(reader)s, %(case)s, %(what)s, %(subject)s,
                          %(parameters)s, %(outcome)s, %(correlation_id)s);

-- name: reads
-- The newest first.
SELECT position, read_id, read_at, reader, case_number, what, subject, parameters, outcome,
       correlation_id
FROM ledger.audit_reads
WHERE position < %(before)s AND (%(subject)s::text IS NULL OR subject = %(subject)s)
ORDER BY position DESC LIMIT %(limit)s;
