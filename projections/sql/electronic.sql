-- name: load
SELECT * FROM {generation}.electronic_permits WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO {generation}.electronic_permits
SELECT * FROM json_populate_recordset(NULL::{generation}.electronic_permits, %s::json)
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
    claimed = excluded.claimed,
    devices = excluded.devices;

-- name: create
-- A generation by itself, filled before it gets its indexes. The migrations made the first one: both
-- have the same columns, which is tested.
CREATE TABLE {generation}.electronic_permits (
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
    claimed boolean NOT NULL,
    devices text[] NOT NULL,
    face bytea,
    portrait_version integer,
    restricted boolean NOT NULL,
    erased boolean NOT NULL
) WITH (fillfactor = 85);
COMMENT ON COLUMN {generation}.electronic_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';
COMMENT ON COLUMN {generation}.electronic_permits.devices IS 'thumbprints of the keys bound (RFC 7638)';
GRANT SELECT, INSERT, UPDATE, DELETE ON {generation}.electronic_permits TO permit_ledger_service;

-- name: index
ALTER TABLE {generation}.electronic_permits ADD PRIMARY KEY (permit_number);
CREATE INDEX electronic_permits_of_holder ON {generation}.electronic_permits (holder_id);
SELECT views.begin_counts('{generation}.electronic_permits');
