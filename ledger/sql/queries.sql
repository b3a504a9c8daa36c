-- name: head
SELECT position FROM ledger.log_end() AS head (position);

-- name: settle_head
-- Waits for a commit in progress: afterwards an append whose result was lost is stored or never will be.
SELECT ledger.settle_head();

-- name: select_streams
SELECT stream, version, topic, state FROM ledger.events
WHERE stream = ANY(%(streams)s) ORDER BY stream, version;

-- name: select_log
SELECT position, stream, version, topic, state FROM ledger.events
WHERE position >= %(start)s ORDER BY position LIMIT %(limit)s;

-- name: follow_log
-- The head and, from the same snapshot, the events of a window; the page ends with the event that fills
-- it. Without events, one row with the head.
SELECT head.position, page.position, stream, version, topic, state
FROM ledger.log_end() AS head (position) LEFT JOIN LATERAL (
  SELECT found.*,
    sum(octet_length(state)) OVER (ORDER BY position ROWS UNBOUNDED PRECEDING)
      - octet_length(state) AS bytes_before
  FROM (
    SELECT position, stream, version, topic, state FROM ledger.events
    WHERE position > %(after)s AND position <= least(%(until)s, head.position)
    ORDER BY position LIMIT %(events_max)s
  ) AS found
) AS page ON page.bytes_before < %(bytes_max)s
ORDER BY page.position;

-- name: stored_events
-- What is stored under these versions of these streams, for settling an append of unknown outcome.
SELECT position, events.stream, events.version, topic, state FROM ledger.events
JOIN unnest(%s::text[], %s::integer[]) AS wanted (stream, version)
  ON events.stream = wanted.stream AND events.version = wanted.version
ORDER BY position;

-- name: stored_answers
-- The same for appends without events.
SELECT answers.caller, answers.key, fingerprint, body FROM ledger.answers
JOIN unnest(%s::text[], %s::text[]) AS wanted (caller, key)
  ON answers.caller = wanted.caller AND answers.key = wanted.key;

-- name: last_position
SELECT position FROM ledger.events WHERE stream = %(stream)s ORDER BY version DESC LIMIT 1;

-- name: select_erasure_requests
-- The streams whose erasure was asked for last, each once; by the partial index
-- events_erasure_requests.
SELECT stream FROM (
    SELECT stream, position FROM ledger.events
    WHERE topic IN ('permit.erasure-requested.v1', 'id-card.erasure-requested.v1')
    ORDER BY position DESC LIMIT %(requests_max)s
) AS requests
GROUP BY stream ORDER BY max(position) DESC LIMIT %(limit)s;

-- name: select_answers
SELECT key, fingerprint, accepted, body, version, position FROM ledger.answers
WHERE caller = %(caller)s AND key = ANY(%(keys)s);

-- name: select_holders
-- The holder of a number, or else its former holder while that person's permit or restriction bars it.
SELECT citizen_index, holder_id, permit_number, restricted, false AS formerly FROM ledger.holders
WHERE citizen_index = ANY(%(citizen_indexes)s)
UNION ALL
SELECT former_numbers.citizen_index, holder_id, permit_number, restricted, true
FROM ledger.former_numbers JOIN ledger.holders USING (holder_id)
WHERE former_numbers.citizen_index = ANY(%(citizen_indexes)s)
  AND (permit_number IS NOT NULL OR restricted)
  AND NOT EXISTS (SELECT FROM ledger.holders AS now
                  WHERE now.citizen_index = former_numbers.citizen_index);

-- name: holder_exists
SELECT 1 FROM ledger.holders WHERE holder_id = %(holder_id)s;

-- name: select_holder
SELECT holder_id, citizen_index, permit_numbers FROM ledger.holders WHERE holder_id = %(holder_id)s;

-- name: select_holder_keys
SELECT holder_id, kek_id, wrapped FROM ledger.holder_keys WHERE holder_id = ANY(%(holder_ids)s);

-- name: select_clock
SELECT ahead FROM ledger.clock;

-- name: set_clock
INSERT INTO ledger.clock (ahead) VALUES (%(ahead)s)
ON CONFLICT (only_row) DO UPDATE SET ahead = excluded.ahead;

-- name: topics
-- Every topic once, each found from the previous one: one index lookup per topic.
WITH RECURSIVE found (topic) AS (
    (SELECT topic FROM ledger.events ORDER BY topic LIMIT 1)
    UNION ALL
    SELECT (SELECT topic FROM ledger.events WHERE topic > found.topic ORDER BY topic LIMIT 1)
    FROM found WHERE topic IS NOT NULL
)
SELECT topic FROM found WHERE topic IS NOT NULL;

-- name: events_of_topic
SELECT count(*), min(position) FROM ledger.events WHERE topic = %(topic)s;

-- name: topics_to_admit
SELECT topic FROM unnest(%s::text[]) AS topic
WHERE NOT EXISTS (SELECT FROM ledger.topics WHERE topics.topic = topic.topic) ORDER BY topic;

-- name: admit_topics
INSERT INTO ledger.topics (topic) SELECT unnest(%s::text[]) ON CONFLICT DO NOTHING;
