-- name: key_check
SELECT check_value FROM ledger.key_checks WHERE key_name = 'blind-index';

-- name: remember_issuer
SELECT ledger.remember_issuer(%s);

-- name: change_issuer
-- As the database's owner.
INSERT INTO ledger.issuer (name) VALUES (%s)
ON CONFLICT (only_row) DO UPDATE SET name = excluded.name, remembered_at = now();

-- name: insert_key_check
INSERT INTO ledger.key_checks (key_name, check_value) VALUES ('blind-index', %s)
ON CONFLICT DO NOTHING;

-- name: own_settings
-- What sessions of this user begin with besides the server's settings: by its own choice, or by an
-- administrator's.
SELECT DISTINCT split_part(setting, '=', 1)
FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole, unnest(setconfig) AS setting
WHERE rolname = session_user
  AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1;
