-- Assertions of the face provider that were used. Times are by the database server's clock.

-- name: use
WITH tidied AS (
    DELETE FROM ledger.face_assertions WHERE assertion_digest IN (
        SELECT assertion_digest FROM ledger.face_assertions
        WHERE used_at < clock_timestamp() - %(kept)s::interval
        ORDER BY used_at LIMIT %(tidied_max)s FOR UPDATE SKIP LOCKED)
)
INSERT INTO ledger.face_assertions (assertion_digest, request_digest)
VALUES (%(assertion_digest)s, %(request_digest)s) ON CONFLICT DO NOTHING

-- name: used_by
SELECT request_digest FROM ledger.face_assertions WHERE assertion_digest = %(assertion_digest)s
