-- name: holders_after
SELECT holder_id, citizen_index, permit_number, permit_numbers, restricted,
       wrapped IS NOT NULL AS has_key
FROM ledger.holders WHERE holder_id > %(after)s ORDER BY holder_id LIMIT %(limit)s;

-- name: holders_of_streams
-- Those who have these streams on record, and those whom their first events name.
SELECT holder_id, citizen_index, permit_number, permit_numbers, restricted,
       wrapped IS NOT NULL AS has_key
FROM ledger.holders WHERE holder_id = ANY(%(holder_ids)s) OR citizen_index = ANY(%(citizen_indexes)s);

-- name: former_numbers
SELECT holder_id, citizen_index FROM ledger.former_numbers WHERE holder_id = ANY(%(holder_ids)s);

-- name: held_indexes
SELECT citizen_index FROM ledger.holders WHERE citizen_index = ANY(%(citizen_indexes)s);

-- name: taken_indexes
SELECT citizen_index FROM ledger.holders WHERE citizen_index = ANY(%(citizen_indexes)s)
UNION ALL
SELECT citizen_index FROM ledger.former_numbers WHERE citizen_index = ANY(%(citizen_indexes)s);

-- name: bar_is_due
-- Whether the correction was made since former numbers are kept, and none who was erased since can have
-- had the number.
SELECT corrected.position > kept.position AND NOT EXISTS (
    SELECT FROM ledger.holders JOIN ledger.events AS named ON named.stream = ANY (permit_numbers)
    WHERE wrapped IS NULL AND named.position > corrected.position
      AND (named.version = 1 OR named.topic LIKE 'permit.identity-corrected.%%')
)
FROM ledger.events AS corrected, ledger.former_numbers_since AS kept
WHERE corrected.stream = %(stream)s AND corrected.version = %(version)s;

-- name: unregistered
-- Streams that no holder has on record, though their first event names one.
SELECT position, stream
FROM (SELECT position, stream, ledger.state_as_json(state) ->> 'holder_id' AS holder_id
      FROM ledger.events WHERE version = 1) AS begun
LEFT JOIN ledger.holders USING (holder_id)
WHERE begun.holder_id IS NOT NULL
  AND (stream = ANY (holders.permit_numbers)) IS NOT TRUE
ORDER BY position LIMIT %(limit)s;
