-- Remote views: kept from Kafka, in a database that has no log of its own. Each partition of the topic has
-- its own position, moved in the transaction that writes the rows.

-- The ledger whose events are followed; no row in a database whose views are of its own log.
CREATE TABLE views.feed (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    source text NOT NULL,
    topic text NOT NULL,
    topic_id text NOT NULL,
    feed_id uuid NOT NULL DEFAULT gen_random_uuid(),
    began_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN views.feed.source IS 'ce_source of the events that are believed';
COMMENT ON COLUMN views.feed.feed_id IS 'this database among those that follow; its workers are one group';
COMMENT ON COLUMN views.feed.topic_id IS 'Kafka''s own; a topic that was made anew has another, and offsets of its own';

CREATE TABLE views.feed_partitions (
    partition integer PRIMARY KEY CHECK (partition >= 0),
    epoch bigint NOT NULL DEFAULT 0,
    next_offset bigint NOT NULL DEFAULT 0 CHECK (next_offset >= 0),
    position bigint NOT NULL DEFAULT 0 CHECK (position >= 0),
    recorded_at timestamptz,
    in_step_at timestamptz,
    behind_records bigint,
    asked_at timestamptz,
    bad_records bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 25);
COMMENT ON COLUMN views.feed_partitions.epoch IS
    'counts those who took the partition over; whoever has an older one writes no more';
COMMENT ON COLUMN views.feed_partitions.position IS 'of the log: the newest event in the rows';
COMMENT ON COLUMN views.feed_partitions.recorded_at IS 'when that event was recorded, by the ledger''s clock';
COMMENT ON COLUMN views.feed_partitions.in_step_at IS
    'what the ledger had recorded at this instant, by its clock, is in the rows';
COMMENT ON COLUMN views.feed_partitions.asked_at IS 'when the broker last said where the partition ends';

-- Records that are another producer's, or damaged: their place, and nothing of their content.
CREATE TABLE views.bad_records (
    topic_id text NOT NULL,
    partition integer NOT NULL,
    record_offset bigint NOT NULL,
    reason text NOT NULL,
    permit_number text,
    value_bytes bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT bad_records_place PRIMARY KEY (topic_id, partition, record_offset)
);
COMMENT ON COLUMN views.bad_records.permit_number IS 'of the permit that stands still because of it, if any';

GRANT SELECT, INSERT, UPDATE ON views.feed, views.feed_partitions TO permit_ledger_service;
GRANT SELECT, INSERT ON views.bad_records TO permit_ledger_service;
