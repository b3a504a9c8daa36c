-- The position of the relay to Kafka. When it starts, the topics decide where it continues; this is what
-- it compares them with, so that a lost topic or a restored database is noticed.

CREATE TABLE ledger.relay (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
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
INSERT INTO ledger.relay DEFAULT VALUES;

GRANT SELECT, UPDATE ON ledger.relay TO permit_ledger_service;
