-- name: record
-- Idempotent: a record whose outcome is unknown may be sent again.
SELECT ledger.record_registrar_reads(
    %(read_id)s::uuid[], %(subject)s::text[], %(read_at)s::timestamptz[], %(reader)s::text[],
    %(station)s::text[], %(what)s::text[], %(correlation_id)s::text[]);

-- name: of_subject
-- The newest first. An instant that is none, or outside of the years that can be read, is null.
SELECT position, read_id, subject,
       CASE WHEN read_at BETWEEN '1000-01-01' AND '9999-01-01' THEN read_at END AS read_at, reader,
       station, what, correlation_id
FROM ledger.registrar_reads
WHERE subject = %(subject)s AND position < %(before)s
ORDER BY position DESC LIMIT %(limit)s;

-- name: of_holder
-- The newest first, of every permit and application that the holder ever had.
SELECT reads.position, read_id, subject,
       CASE WHEN read_at BETWEEN '1000-01-01' AND '9999-01-01' THEN read_at END AS read_at, reader,
       station, what, correlation_id
FROM ledger.holders CROSS JOIN LATERAL (
    SELECT * FROM ledger.registrar_reads
    WHERE subject = ANY (holders.permit_numbers) AND position < %(before)s
    ORDER BY position DESC LIMIT %(limit)s
) AS reads
WHERE holders.holder_id = %(holder_id)s
ORDER BY reads.position DESC;
