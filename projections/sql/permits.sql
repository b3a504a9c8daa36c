-- Every query gives the position beside the rows, from one snapshot; it gives one row of NULLs
-- beside the position where there is no such permit. A permit that is parked is said to be.

-- name: permit
SELECT position AS as_of_position, permits.*,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_parked
FROM views.position LEFT JOIN views.permits ON permit_number = %(permit_number)s;

-- name: permit_of_holder
-- The permit that is open comes first, then the one issued last: by the log, since one that was
-- taken over may bear any date.
SELECT position AS as_of_position, permits.*,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_parked
FROM views.position LEFT JOIN views.permits
  ON permit_number IN (SELECT permit_number FROM views.electronic_permits
                       WHERE holder_id = %(holder_id)s)
ORDER BY ended IS NOT NULL,
         (SELECT events.position FROM ledger.events WHERE stream = permit_number AND version = 1) DESC
LIMIT 1;

-- name: search
SELECT position AS as_of_position, permits.*,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = permits.permit_number) AS is_parked
FROM views.position LEFT JOIN views.permits
  ON permit_number IN (SELECT permit_number FROM views.permit_search
                       WHERE citizen_index = %(citizen_index)s)
ORDER BY ended IS NOT NULL,
         (SELECT events.position FROM ledger.events WHERE stream = permit_number AND version = 1) DESC
LIMIT %(rows_max)s;

-- name: physical
SELECT position AS as_of_position, physical_permits.*, kek_id, wrapped,
       holders.holder_id IS NOT NULL AS has_key, holders.restricted AS kept_unused,
       portraits.image AS portrait_image,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_parked
FROM views.position
LEFT JOIN views.physical_permits ON permit_number = %(permit_number)s
LEFT JOIN ledger.portraits ON stream = permit_number AND portraits.version = portrait_version
LEFT JOIN ledger.holders ON holders.holder_id = physical_permits.holder_id;

-- name: electronic
SELECT position AS as_of_position, electronic_permits.*, kek_id, wrapped,
       holders.holder_id IS NOT NULL AS has_key, holders.restricted AS kept_unused,
       portraits.image AS portrait_image,
       EXISTS (SELECT FROM views.quarantine
               WHERE quarantine.permit_number = %(permit_number)s) AS is_parked
FROM views.position
LEFT JOIN views.electronic_permits ON permit_number = %(permit_number)s
LEFT JOIN ledger.portraits ON stream = permit_number AND portraits.version = portrait_version
LEFT JOIN ledger.holders ON holders.holder_id = electronic_permits.holder_id;

-- name: positions
SELECT position.position AS views, head.position AS log FROM views.position CROSS JOIN ledger.head;

-- name: some
SELECT permit_number FROM views.electronic_permits WHERE ended IS NULL
ORDER BY permit_number LIMIT %(rows_max)s;
