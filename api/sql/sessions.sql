-- Sessions of browsers. Times are by the database server's clock.

-- name: begin
WITH tidied AS (
    DELETE FROM ledger.sessions WHERE id_digest IN (
        SELECT id_digest FROM ledger.sessions
        WHERE used_at < clock_timestamp() - %(idle)s::interval
        ORDER BY used_at LIMIT %(tidied_max)s FOR UPDATE SKIP LOCKED)
)
INSERT INTO ledger.sessions (id_digest, account_digest, provider_session_digest, sealed)
VALUES (%(id_digest)s, %(account_digest)s, %(provider_session_digest)s, %(sealed)s)

-- name: find
SELECT sealed, clock_timestamp() - used_at AS unused FROM ledger.sessions
WHERE id_digest = %(id_digest)s AND used_at > clock_timestamp() - %(idle)s::interval

-- name: touch
UPDATE ledger.sessions SET used_at = clock_timestamp() WHERE id_digest = %(id_digest)s

-- name: end
DELETE FROM ledger.sessions WHERE id_digest = %(id_digest)s RETURNING sealed

-- name: end_of_account
DELETE FROM ledger.sessions
WHERE account_digest = %(account_digest)s
  AND (%(provider_session_digest)s::bytea IS NULL
       OR provider_session_digest IS NULL
       OR provider_session_digest = %(provider_session_digest)s)

-- name: end_of_provider_session
DELETE FROM ledger.sessions WHERE provider_session_digest = %(provider_session_digest)s
