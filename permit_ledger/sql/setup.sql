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
