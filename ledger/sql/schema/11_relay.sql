-- The position of the relay to Kafka. When it starts, the topics decide where it continues; this is what
-- it compares them with, so that a lost topic or a restored database is noticed.

-- Its row is found by the position, the greatest one first, like ledger.head.
CREATE TABLE ledger.relay (
    position bigint CHECK (position >= 0),
    ends jsonb NOT NULL DEFAULT '{}',
    starts bigint NOT NULL DEFAULT 0 CHECK (starts >= 0),
    moved_at timestamptz,
    stopped text
);
COMMENT ON TABLE ledger.relay IS 'the relay to Kafka: a hint and an alarm, never the truth';
COMMENT ON COLUMN ledger.relay.position IS
    'the last event that is on the topics for certain; NULL: the topics are believed';
COMMENT ON COLUMN ledger.relay.ends IS
    'topic → partition → the offset behind the last record that was sent';
COMMENT ON COLUMN ledger.relay.starts IS 'how often a relay began or began anew after a failure';
COMMENT ON COLUMN ledger.relay.stopped IS 'why nothing is sent, where that needs an operator';
CREATE INDEX relay_position ON ledger.relay (position);
INSERT INTO ledger.relay DEFAULT VALUES;

GRANT SELECT, UPDATE ON ledger.relay TO permit_ledger_service;

CREATE FUNCTION ledger.relay_now() RETURNS SETOF ledger.relay ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT * FROM ledger.relay ORDER BY position DESC LIMIT 1;
END;

-- Move the relay's position; the ends of partitions without new records are kept.
CREATE FUNCTION ledger.move_relay(new_position bigint, new_ends jsonb) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    old_position bigint;
BEGIN
    SELECT relay.position INTO old_position FROM ledger.relay ORDER BY relay.position DESC LIMIT 1 FOR UPDATE;
    UPDATE ledger.relay SET position = new_position, moved_at = clock_timestamp(), stopped = NULL,
        ends = ends || (SELECT coalesce(jsonb_object_agg(topic, coalesce(ends -> topic, '{}') || new), '{}')
                        FROM jsonb_each(new_ends) AS given (topic, new))
    WHERE relay.position = old_position OR (old_position IS NULL AND relay.position IS NULL);
END
$$;
REVOKE ALL ON FUNCTION ledger.move_relay FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.move_relay TO permit_ledger_service;
