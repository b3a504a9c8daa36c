-- name: load
SELECT * FROM views.electronic_permits WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO views.electronic_permits
SELECT * FROM jsonb_populate_recordset(NULL::views.electronic_permits, %s::jsonb)
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
