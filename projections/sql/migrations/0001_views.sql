-- The two tracks of every permit, and where to find a person's. Rebuilt from the log at any time;
-- facts only: what follows from a date is computed when it is asked for.

CREATE SCHEMA views;

-- The log's position that every view below has reached, changed in the same transaction as they.
CREATE TABLE views.position (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO views.position (position) VALUES (0);

CREATE TABLE views.physical_permits (
    permit_number text PRIMARY KEY,
    holder_id text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    sex text NOT NULL,
    ethnicity text NOT NULL,
    birth_date date NOT NULL,
    citizen_id_number text NOT NULL,
    hukou_address text NOT NULL,
    portrait text,
    division text NOT NULL,
    address text NOT NULL,
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
    card_delivered_on date
) WITH (fillfactor = 85);

CREATE TABLE views.electronic_permits (
    permit_number text PRIMARY KEY,
    holder_id text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    sex text NOT NULL,
    ethnicity text NOT NULL,
    birth_date date NOT NULL,
    citizen_id_number text NOT NULL,
    hukou_address text NOT NULL,
    portrait text,
    division text NOT NULL,
    address text NOT NULL,
    issuing_authority text,
    issued_on date NOT NULL,
    anchor date NOT NULL,
    years integer NOT NULL,
    endorsements integer NOT NULL,
    ended text,
    card_serial integer NOT NULL,
    claimed boolean NOT NULL,
    devices text[] NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX electronic_permits_of_holder ON views.electronic_permits (holder_id);
COMMENT ON COLUMN views.electronic_permits.devices IS 'thumbprints of the keys bound (RFC 7638)';

CREATE TABLE views.permit_search (
    permit_number text PRIMARY KEY,
    citizen_index text NOT NULL
);
CREATE INDEX permit_search_by_citizen ON views.permit_search (citizen_index);
COMMENT ON COLUMN views.permit_search.citizen_index IS 'keyed digest of the citizen number (hex)';

-- Both tracks beside each other, as one row.
CREATE VIEW views.permits AS
SELECT physical.*, electronic.card_serial AS electronic_card_serial, electronic.claimed,
       electronic.devices
FROM views.physical_permits AS physical
JOIN views.electronic_permits AS electronic USING (permit_number);
