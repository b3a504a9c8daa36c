-- A station's work list: when a permit was last changed, and an index for each list's order.

DROP VIEW views.permits;
ALTER TABLE views.physical_permits ADD COLUMN updated_at timestamptz;

-- By the permit's last event; in a database that has no log, by the day of issue until its next event.
DO $$
BEGIN
    IF to_regclass('ledger.events') IS NOT NULL THEN
        UPDATE views.physical_permits SET updated_at = (
            SELECT (convert_from(state, 'UTF8')::json ->> 'timestamp')::timestamptz FROM ledger.events
            WHERE stream = permit_number AND events.version = physical_permits.version);
    END IF;
END
$$;
UPDATE views.physical_permits SET updated_at = issued_on::timestamp AT TIME ZONE 'Asia/Shanghai'
WHERE updated_at IS NULL;
ALTER TABLE views.physical_permits ALTER COLUMN updated_at SET NOT NULL;
COMMENT ON COLUMN views.physical_permits.updated_at IS 'when the last event was recorded, by the ledger''s clock';

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

-- Both tracks of a permit in one row.
CREATE VIEW views.permits AS
SELECT physical.*, electronic.card_serial AS electronic_card_serial, electronic.claimed,
       electronic.devices
FROM views.physical_permits AS physical
JOIN views.electronic_permits AS electronic USING (permit_number);
GRANT SELECT ON views.permits TO permit_ledger_service;
