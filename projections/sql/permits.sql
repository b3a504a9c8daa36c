-- Every query gives the views' position and the log's head beside the rows, from one snapshot; it
-- gives a row of NULLs beside them where there is no such permit. A permit in quarantine is
-- marked. Where the views are behind, last_version shows whether they lack one of this permit's events.

-- name: permits
-- LATERAL with a limit: each is looked up by its number, however few there are and whatever the plan
-- was made for.
SELECT position.position AS as_of_position, head.position AS head, found.*, wanted,
       CASE WHEN position.position < head.position
            THEN (SELECT max(events.version) FROM ledger.events WHERE stream = wanted)
       END AS last_version,
       EXISTS (SELECT FROM views.quarantine WHERE quarantine.permit_number = wanted) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
CROSS JOIN unnest(%(permit_numbers)s::text[]) AS asked (wanted)
LEFT JOIN LATERAL (SELECT * FROM views.permits WHERE permits.permit_number = wanted LIMIT 1) AS found
  ON true;

-- name: permit_of_holder
-- By the register, which is up to date with the log: the open permit, else the last one.
SELECT position.position AS as_of_position, head.position AS head, permits.*, wanted,
       CASE WHEN position.position < head.position
            THEN (SELECT max(events.version) FROM ledger.events WHERE stream = wanted)
       END AS last_version,
       EXISTS (SELECT FROM views.quarantine WHERE quarantine.permit_number = wanted) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
LEFT JOIN (SELECT coalesce(permit_number, permit_numbers[cardinality(permit_numbers)]) AS wanted
           FROM ledger.holders WHERE holder_id = %(holder_id)s) AS own ON true
LEFT JOIN views.permits ON permits.permit_number = wanted;

-- name: search
SELECT position.position AS as_of_position, head.position AS head, permits.*,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position) LEFT JOIN views.permits
  ON permit_number IN (SELECT permit_number FROM views.permit_search
                       WHERE citizen_index = %(citizen_index)s)
ORDER BY ended IS NOT NULL,
         (SELECT events.position FROM ledger.events WHERE stream = permit_number AND version = 1) DESC
LIMIT %(rows_max)s;

-- name: physical
SELECT position.position AS as_of_position, head.position AS head, physical_permits.*, kek_id, wrapped,
       %(permit_number)s::text AS wanted,
       CASE WHEN position.position < head.position
            THEN (SELECT max(events.version) FROM ledger.events WHERE stream = %(permit_number)s)
       END AS last_version,
       holders.holder_id IS NOT NULL AS has_key, holders.restricted AS kept_unused,
       portraits.image AS portrait_image,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
LEFT JOIN views.physical_permits ON permit_number = %(permit_number)s
LEFT JOIN ledger.portraits ON portraits.stream = permit_number AND portraits.version = portrait_version
LEFT JOIN ledger.holders ON holders.holder_id = physical_permits.holder_id;

-- name: electronic
SELECT position.position AS as_of_position, head.position AS head, electronic_permits.*, kek_id, wrapped,
       %(permit_number)s::text AS wanted,
       CASE WHEN position.position < head.position
            THEN (SELECT max(events.version) FROM ledger.events WHERE stream = %(permit_number)s)
       END AS last_version,
       holders.holder_id IS NOT NULL AS has_key, holders.restricted AS kept_unused,
       portraits.image AS portrait_image,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_quarantined
FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position)
LEFT JOIN views.electronic_permits ON permit_number = %(permit_number)s
LEFT JOIN ledger.portraits ON portraits.stream = permit_number AND portraits.version = portrait_version
LEFT JOIN ledger.holders ON holders.holder_id = electronic_permits.holder_id;

-- name: positions
SELECT position.position AS views, head.position AS log FROM views.reached() AS position (position) CROSS JOIN ledger.log_end() AS head (position);

-- name: some
SELECT permit_number FROM views.electronic_permits WHERE ended IS NULL
ORDER BY permit_number LIMIT %(rows_max)s;
