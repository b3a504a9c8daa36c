-- name: load
SELECT * FROM {generation}.physical_permits WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO {generation}.physical_permits
SELECT * FROM json_populate_recordset(NULL::{generation}.physical_permits, %s::json)
ON CONFLICT (permit_number) DO UPDATE SET
    holder_id = excluded.holder_id,
    version = excluded.version,
    face = excluded.face,
    portrait_version = excluded.portrait_version,
    division = excluded.division,
    issuing_authority = excluded.issuing_authority,
    issued_on = excluded.issued_on,
    anchor = excluded.anchor,
    years = excluded.years,
    endorsements = excluded.endorsements,
    ended = excluded.ended,
    restricted = excluded.restricted,
    erased = excluded.erased,
    card_serial = excluded.card_serial,
    card_status = excluded.card_status,
    identity_stale = excluded.identity_stale,
    card_due_on = excluded.card_due_on,
    card_delivered_on = excluded.card_delivered_on;

-- name: create
-- A generation by itself, filled before it gets its indexes. The migrations made the first one: both
-- have the same columns, which is tested.
CREATE TABLE {generation}.physical_permits (
    permit_number text NOT NULL,
    holder_id text NOT NULL,
    version integer NOT NULL,
    division text NOT NULL,
    issuing_authority text,
    issued_on date NOT NULL,
    anchor date NOT NULL,
    years integer NOT NULL,
    endorsements integer NOT NULL,
    ended text,
    card_serial integer NOT NULL,
    card_status text NOT NULL,
    identity_stale boolean NOT NULL,
    card_due_on date NOT NULL,
    card_delivered_on date,
    face bytea,
    portrait_version integer,
    restricted boolean NOT NULL,
    erased boolean NOT NULL
) WITH (fillfactor = 85);
COMMENT ON COLUMN {generation}.physical_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';
GRANT SELECT, INSERT, UPDATE, DELETE ON {generation}.physical_permits TO permit_ledger_service;

-- name: index
ALTER TABLE {generation}.physical_permits ADD PRIMARY KEY (permit_number);
