-- name: key_check
SELECT check_value FROM ledger.key_checks WHERE key_name = 'blind-index';

-- name: insert_key_check
INSERT INTO ledger.key_checks (key_name, check_value) VALUES ('blind-index', %s)
ON CONFLICT DO NOTHING;
