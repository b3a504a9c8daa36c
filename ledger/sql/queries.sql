-- name: advance_head
-- Take n positions; holds the row's lock until commit.
UPDATE ledger.head SET position = position + %(n)s RETURNING position;

-- name: head
SELECT position FROM ledger.head;

-- name: settle_head
-- Waits for whoever is committing: afterwards an append whose answer was lost is there or never will be.
SELECT position FROM ledger.head FOR UPDATE;

-- name: insert_events
INSERT INTO ledger.events (position, stream, version, topic, state)
SELECT * FROM unnest(%s::bigint[], %s::text[], %s::integer[], %s::text[], %s::bytea[]);

-- name: copy_events
COPY ledger.events (position, stream, version, topic, state) FROM STDIN (FORMAT BINARY);

-- name: select_stream
SELECT stream, version, topic, state FROM ledger.events
WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
ORDER BY version LIMIT %(limit)s;

-- name: select_stream_desc
SELECT stream, version, topic, state FROM ledger.events
WHERE stream = %(stream)s AND version > %(gt)s AND version <= %(lte)s
ORDER BY version DESC LIMIT %(limit)s;

-- name: select_log
SELECT position, stream, version, topic, state FROM ledger.events
WHERE position >= %(start)s AND position <= %(stop)s
ORDER BY position LIMIT %(limit)s;

-- name: select_log_of_topics
SELECT position, stream, version, topic, state FROM ledger.events
WHERE position >= %(start)s AND position <= %(stop)s AND topic = ANY(%(topics)s)
ORDER BY position LIMIT %(limit)s;

-- name: stored_events
-- What is stored under these versions of these streams, for settling an append of unknown outcome.
SELECT position, events.stream, events.version, topic, state FROM ledger.events
JOIN unnest(%s::text[], %s::integer[]) AS wanted (stream, version)
  ON events.stream = wanted.stream AND events.version = wanted.version
ORDER BY position;

-- name: last_position
SELECT position FROM ledger.events WHERE stream = %(stream)s ORDER BY version DESC LIMIT 1;

-- name: insert_answer
INSERT INTO ledger.answers (caller, key, fingerprint, accepted, body, version, position)
VALUES (%(caller)s, %(key)s, %(fingerprint)s, %(accepted)s, %(body)s, %(version)s, %(position)s);

-- name: select_answers
SELECT key, fingerprint, accepted, body, version, position FROM ledger.answers
WHERE caller = %(caller)s AND key = ANY(%(keys)s);

-- name: take_holder
-- No row comes back where the person holds a permit already, or got a holder id meanwhile.
INSERT INTO ledger.holders (citizen_index, holder_id, permit_number)
VALUES (%(citizen_index)s, %(holder_id)s, %(permit_number)s)
ON CONFLICT (citizen_index) DO UPDATE SET permit_number = excluded.permit_number
WHERE holders.permit_number IS NULL AND holders.holder_id = excluded.holder_id
RETURNING holder_id;

-- name: release_holder
UPDATE ledger.holders SET permit_number = NULL WHERE permit_number = %(permit_number)s;

-- name: merge_holder
-- A corrected number may belong to an earlier record of the same person: that one gives way.
UPDATE ledger.holders SET citizen_index = NULL
WHERE citizen_index = %(citizen_index)s AND permit_number IS NULL;

-- name: reindex_holder
UPDATE ledger.holders SET citizen_index = %(citizen_index)s WHERE permit_number = %(permit_number)s;

-- name: select_holders
SELECT citizen_index, holder_id, permit_number FROM ledger.holders
WHERE citizen_index = ANY(%(citizen_indexes)s);

-- name: holder_exists
SELECT 1 FROM ledger.holders WHERE holder_id = %(holder_id)s;

-- name: insert_portrait
INSERT INTO ledger.portraits (digest, image) VALUES (%(digest)s, %(image)s) ON CONFLICT DO NOTHING;

-- name: insert_check
INSERT INTO ledger.checks (check_id, checked_at, verifier, scenario, track, permit_number,
                           card_serial, outcome, reason, fields, as_of_position)
VALUES (%(check_id)s, %(checked_at)s, %(verifier)s, %(scenario)s, %(track)s, %(permit_number)s,
        %(card_serial)s, %(outcome)s, %(reason)s, %(fields)s, %(as_of_position)s);

-- name: select_clock
SELECT ahead FROM ledger.clock;

-- name: set_clock
INSERT INTO ledger.clock (ahead) VALUES (%(ahead)s)
ON CONFLICT (only_row) DO UPDATE SET ahead = excluded.ahead;
