-- What a view shows of a person is sealed with the holder's key, and gone with it. The ledger's
-- migration has made sure that there is no permit yet.

DROP VIEW views.permits;

ALTER TABLE views.physical_permits
    DROP COLUMN name, DROP COLUMN sex, DROP COLUMN ethnicity, DROP COLUMN birth_date,
    DROP COLUMN citizen_id_number, DROP COLUMN hukou_address, DROP COLUMN portrait,
    DROP COLUMN address,
    ADD COLUMN face bytea,
    ADD COLUMN portrait_version integer,
    ADD COLUMN restricted boolean NOT NULL,
    ADD COLUMN erased boolean NOT NULL;
COMMENT ON COLUMN views.physical_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';

ALTER TABLE views.electronic_permits
    DROP COLUMN name, DROP COLUMN sex, DROP COLUMN ethnicity, DROP COLUMN birth_date,
    DROP COLUMN citizen_id_number, DROP COLUMN hukou_address, DROP COLUMN portrait,
    DROP COLUMN address,
    ADD COLUMN face bytea,
    ADD COLUMN portrait_version integer,
    ADD COLUMN restricted boolean NOT NULL,
    ADD COLUMN erased boolean NOT NULL;
COMMENT ON COLUMN views.electronic_permits.face IS 'name, number, home … as JSON, sealed; NULL once erased';

-- Nobody erased is found.
ALTER TABLE views.permit_search ALTER COLUMN citizen_index DROP NOT NULL;

-- Both tracks beside each other, as one row.
CREATE VIEW views.permits AS
SELECT physical.*, electronic.card_serial AS electronic_card_serial, electronic.claimed,
       electronic.devices
FROM views.physical_permits AS physical
JOIN views.electronic_permits AS electronic USING (permit_number);
GRANT SELECT ON views.permits TO permit_ledger_service;
