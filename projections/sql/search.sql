-- name: load
SELECT * FROM views.permit_search WHERE permit_number = ANY(%s);

-- name: save
INSERT INTO views.permit_search
SELECT * FROM jsonb_populate_recordset(NULL::views.permit_search, %s::jsonb)
ON CONFLICT (permit_number) DO UPDATE SET
    citizen_index = excluded.citizen_index;
