-- name: history
-- A stream's events and the log's head, from one snapshot; without events, one row with the head.
SELECT head.position AS head, events.position, stream, version, topic, state
FROM ledger.head LEFT JOIN LATERAL (
    SELECT * FROM ledger.events WHERE stream = %(stream)s ORDER BY version LIMIT %(limit)s
) AS events ON true
ORDER BY version;

-- name: record_read
-- Idempotent.
INSERT INTO ledger.audit_reads
    (read_id, read_at, reader, case_number, what, subject, parameters, outcome, correlation_id)
VALUES (%(read_id)s, %(read_at)s, %(reader)s, %(case)s, %(what)s, %(subject)s, %(parameters)s,
        %(outcome)s, %(correlation_id)s)
ON CONFLICT (read_id) DO NOTHING;

-- name: reads
-- The newest first.
SELECT position, read_id, read_at, reader, case_number, what, subject, parameters, outcome,
       correlation_id
FROM ledger.audit_reads
WHERE position < %(before)s AND (%(subject)s::text IS NULL OR subject = %(subject)s)
  AND (%(case)s::text IS NULL OR case_number = %(case)s)
ORDER BY position DESC LIMIT %(limit)s;
