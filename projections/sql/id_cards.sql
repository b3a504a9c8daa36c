-- name: load
SELECT * FROM {generation}.id_card_applications WHERE receipt_number = ANY(%s);

-- name: save
INSERT INTO {generation}.id_card_applications
SELECT * FROM json_populate_recordset(NULL::{generation}.id_card_applications, %s::json)
ON CONFLICT (receipt_number) DO UPDATE SET
    holder_id = excluded.holder_id,
    version = excluded.version,
    stage = excluded.stage,
    stage_since = excluded.stage_since,
    accepted_on = excluded.accepted_on,
    accepted_by = excluded.accepted_by,
    hukou_province = excluded.hukou_province,
    collection = excluded.collection,
    due_date = excluded.due_date,
    due_date_provisional = excluded.due_date_provisional,
    restricted = excluded.restricted,
    erased = excluded.erased;

-- name: create
-- A generation by itself, filled before it gets its indexes. The migrations made the first one: both
-- have the same columns, which is tested.
CREATE TABLE {generation}.id_card_applications (
    receipt_number text NOT NULL,
    holder_id text NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    stage_since date NOT NULL,
    accepted_on date NOT NULL,
    accepted_by text,
    hukou_province text NOT NULL,
    collection text NOT NULL,
    due_date date NOT NULL,
    due_date_provisional boolean NOT NULL,
    restricted boolean NOT NULL,
    erased boolean NOT NULL
) WITH (fillfactor = 85);
GRANT SELECT, INSERT, UPDATE, DELETE ON {generation}.id_card_applications TO permit_ledger_service;

-- name: index
ALTER TABLE {generation}.id_card_applications ADD PRIMARY KEY (receipt_number);
CREATE INDEX id_card_applications_due ON {generation}.id_card_applications (due_date, receipt_number)
    WHERE stage IN ('accepted', 'sent_to_hukou_police', 'approved', 'produced');
CREATE INDEX id_card_applications_waiting
    ON {generation}.id_card_applications (stage_since, receipt_number) WHERE stage = 'arrived';
CREATE INDEX id_card_applications_provisional ON {generation}.id_card_applications (receipt_number)
    WHERE due_date_provisional AND stage NOT IN ('returned', 'collected', 'withdrawn');
