-- name: load
SELECT * FROM {generation}.permit_search WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO {generation}.permit_search
SELECT * FROM json_populate_recordset(NULL::{generation}.permit_search, %s::json)
ON CONFLICT (permit_number) DO UPDATE SET
    citizen_index = excluded.citizen_index;

-- name: create
-- A generation by itself, filled before it gets its indexes. The migrations made the first one: both
-- have the same columns, which is tested.
CREATE TABLE {generation}.permit_search (
    permit_number text NOT NULL,
    citizen_index text
);
COMMENT ON COLUMN {generation}.permit_search.citizen_index IS 'keyed digest of the citizen number (hex)';
GRANT SELECT, INSERT, UPDATE, DELETE ON {generation}.permit_search TO permit_ledger_service;

-- name: index
ALTER TABLE {generation}.permit_search ADD PRIMARY KEY (permit_number);
CREATE INDEX permit_search_by_citizen ON {generation}.permit_search (citizen_index);
