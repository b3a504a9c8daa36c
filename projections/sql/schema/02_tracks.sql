-- The two tracks of every permit, and the search for a person's permits. A rebuild creates these tables
-- too, from the queries `create` and `index` of physical.sql, electronic.sql and search.sql.

CREATE TABLE views.physical_permits (
    permit_number text PRIMARY KEY,
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
-- A station's work list: an index for each list's order.
CREATE INDEX physical_permits_due ON views.physical_permits
    (issuing_authority, ((anchor + make_interval(months => 12 * years))::date), permit_number)
    WHERE ended IS NULL;
CREATE INDEX physical_permits_waiting ON views.physical_permits
    (issuing_authority, card_due_on, permit_number)
    WHERE ended IS NULL AND card_delivered_on IS NULL AND card_status = 'issued';
CREATE INDEX physical_permits_lost ON views.physical_permits
    (issuing_authority, updated_at, permit_number)
    WHERE ended IS NULL AND card_status = 'reported_lost';
CREATE INDEX physical_permits_ended ON views.physical_permits
    (issuing_authority, ended, updated_at, permit_number) WHERE ended IS NOT NULL;
CREATE INDEX physical_permits_updated ON views.physical_permits
    (issuing_authority, updated_at, permit_number);
COMMENT ON COLUMN views.physical_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';
COMMENT ON COLUMN views.physical_permits.updated_at IS 'when the last event was recorded, by the ledger''s clock';
-- A row of a permit that the log does not have is deleted.
GRANT SELECT, INSERT, UPDATE, DELETE ON views.physical_permits TO permit_ledger_service;

CREATE TABLE views.electronic_permits (
    permit_number text PRIMARY KEY,
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
CREATE INDEX electronic_permits_of_holder ON views.electronic_permits (holder_id);
COMMENT ON COLUMN views.electronic_permits.devices IS 'thumbprints of the keys bound (RFC 7638)';
COMMENT ON COLUMN views.electronic_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';
GRANT SELECT, INSERT, UPDATE, DELETE ON views.electronic_permits TO permit_ledger_service;

-- An erased permit has no index, so it is not found.
CREATE TABLE views.permit_search (
    permit_number text PRIMARY KEY,
    citizen_index text
);
CREATE INDEX permit_search_by_citizen ON views.permit_search (citizen_index);
COMMENT ON COLUMN views.permit_search.citizen_index IS 'keyed digest of the citizen number (hex)';
GRANT SELECT, INSERT, UPDATE, DELETE ON views.permit_search TO permit_ledger_service;

-- Both tracks of a permit in one row.
CREATE VIEW views.permits AS
SELECT physical.*, electronic.card_serial AS electronic_card_serial, electronic.claimed,
       electronic.devices
FROM views.physical_permits AS physical
JOIN views.electronic_permits AS electronic USING (permit_number);
GRANT SELECT ON views.permits TO permit_ledger_service;
