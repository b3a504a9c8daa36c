-- name: load
SELECT * FROM views.physical_permits WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO views.physical_permits
SELECT * FROM jsonb_populate_recordset(NULL::views.physical_permits, %s::jsonb)
ON CONFLICT (permit_number) DO UPDATE SET
    holder_id = excluded.holder_id,
    version = excluded.version,
    name = excluded.name,
    sex = excluded.sex,
    ethnicity = excluded.ethnicity,
    birth_date = excluded.birth_date,
    citizen_id_number = excluded.citizen_id_number,
    hukou_address = excluded.hukou_address,
    portrait = excluded.portrait,
    division = excluded.division,
    address = excluded.address,
    issuing_authority = excluded.issuing_authority,
    issued_on = excluded.issued_on,
    anchor = excluded.anchor,
    years = excluded.years,
    endorsements = excluded.endorsements,
    ended = excluded.ended,
    card_serial = excluded.card_serial,
    card_status = excluded.card_status,
    identity_stale = excluded.identity_stale,
    card_due_on = excluded.card_due_on,
    card_delivered_on = excluded.card_delivered_on;
