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
    card_delivered_on = excluded.card_delivered_on,
    updated_at = excluded.updated_at;

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
    erased boolean NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 85);
COMMENT ON COLUMN {generation}.physical_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';
COMMENT ON COLUMN {generation}.physical_permits.updated_at IS 'when the last event was recorded, by the ledger''s clock';
GRANT SELECT, INSERT, UPDATE, DELETE ON {generation}.physical_permits TO permit_ledger_service;

-- name: index
ALTER TABLE {generation}.physical_permits ADD PRIMARY KEY (permit_number);
CREATE INDEX physical_permits_due ON {generation}.physical_permits
    (issuing_authority, ((anchor + make_interval(months => 12 * years))::date), permit_number)
    WHERE ended IS NULL;
CREATE INDEX physical_permits_waiting ON {generation}.physical_permits
    (issuing_authority, card_due_on, permit_number)
    WHERE ended IS NULL AND card_delivered_on IS NULL AND card_status = 'issued';
CREATE INDEX physical_permits_lost ON {generation}.physical_permits
    (issuing_authority, updated_at, permit_number)
    WHERE ended IS NULL AND card_status = 'reported_lost';
CREATE INDEX physical_permits_ended ON {generation}.physical_permits
    (issuing_authority, ended, updated_at, permit_number) WHERE ended IS NOT NULL;
CREATE INDEX physical_permits_updated ON {generation}.physical_permits
    (issuing_authority, updated_at, permit_number);
