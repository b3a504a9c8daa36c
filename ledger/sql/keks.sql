-- name: in_use
-- The key-encryption keys that are still needed.
SELECT kek_id, check_value FROM ledger.key_encryption_keys WHERE destroyed_at IS NULL;

-- name: introduce
INSERT INTO ledger.key_encryption_keys (kek_id, check_value) VALUES (%(kek_id)s, %(check_value)s)
ON CONFLICT DO NOTHING;

-- name: lock_head
-- Excludes appends: the next one sees what is written under the lock.
SELECT position FROM ledger.head ORDER BY position DESC LIMIT 1 FOR UPDATE;

-- name: close_others
UPDATE ledger.key_encryption_keys SET closed_at = now() WHERE kek_id <> %(kek_id)s AND closed_at IS NULL;

-- name: count_to_rewrap
SELECT count(*) FROM ledger.holder_keys WHERE kek_id <> %(kek_id)s;

-- name: next_to_rewrap
SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys
WHERE holder_id > %(after)s AND kek_id <> %(kek_id)s ORDER BY holder_id LIMIT %(limit)s;

-- name: rewrap
-- Only rows that are unchanged since they were read: a key destroyed meanwhile stays destroyed.
UPDATE ledger.holder_keys SET kek_id = %(kek_id)s, wrapped = own.wrapped
FROM unnest(%(holder_ids)s::text[], %(before)s::bytea[], %(wrapped)s::bytea[])
    AS own (holder_id, before, wrapped)
WHERE holder_keys.holder_id = own.holder_id AND holder_keys.wrapped = own.before;

-- name: destroy
UPDATE ledger.key_encryption_keys SET destroyed_at = now()
WHERE kek_id = %(kek_id)s AND closed_at IS NOT NULL AND destroyed_at IS NULL
  AND NOT EXISTS (SELECT FROM ledger.holder_keys WHERE holder_keys.kek_id = %(kek_id)s);

-- name: all
SELECT kek.kek_id, introduced_at, closed_at, destroyed_at, count(holder_id) AS keys
FROM ledger.key_encryption_keys AS kek LEFT JOIN ledger.holder_keys USING (kek_id)
GROUP BY kek.kek_id ORDER BY introduced_at, kek.kek_id;
