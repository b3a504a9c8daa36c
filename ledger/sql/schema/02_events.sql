-- The event log: rows are only added, at positions 1, 2, 3 … in commit order.

-- One row, which every append locks until it commits: a reader that has seen a position has seen every
-- one before it.
--
-- While a snapshot is held open, no version of the row can be removed. So the row is always found by its
-- position, the greatest one first: the version that counts comes before all dead ones.
CREATE TABLE ledger.head (
    position bigint NOT NULL CHECK (position >= 0)
);
CREATE UNIQUE INDEX head_position ON ledger.head (position);
INSERT INTO ledger.head (position) VALUES (0);
GRANT SELECT ON ledger.head TO permit_ledger_service;

-- The log's last position. No query reads the table itself, since the planner would choose to scan it.
CREATE FUNCTION ledger.log_end() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT head.position FROM ledger.head ORDER BY head.position DESC LIMIT 1;
END;

-- Waits for an append in progress. A row lock needs UPDATE, which the service does not have.
CREATE FUNCTION ledger.settle_head() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position FROM ledger.head ORDER BY position DESC LIMIT 1 FOR UPDATE;
END;
REVOKE ALL ON FUNCTION ledger.settle_head FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.settle_head TO permit_ledger_service;

-- 16 random bytes, from the server's source of secrets.
CREATE FUNCTION ledger.new_salt() RETURNS bytea LANGUAGE sql VOLATILE
RETURN substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FROM 1 FOR 16);
REVOKE ALL ON FUNCTION ledger.new_salt FROM PUBLIC;

CREATE TABLE ledger.events (
    position bigint NOT NULL CHECK (position > 0),
    stream text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    topic text NOT NULL,
    state bytea NOT NULL,
    salt bytea DEFAULT ledger.new_salt() CONSTRAINT events_salt CHECK (octet_length(salt) = 16),
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);
-- To find the topics that are in the log, each from the one before it.
CREATE INDEX events_topic ON ledger.events (topic);
COMMENT ON COLUMN ledger.events.stream IS 'the permit number';
COMMENT ON COLUMN ledger.events.state IS 'the event as JSON (UTF-8), its personal part sealed';
COMMENT ON COLUMN ledger.events.salt IS
    'hides the row behind its public commitment in the tree; NULL where that names it';
GRANT SELECT ON ledger.events TO permit_ledger_service;

-- The kinds of events that the log may hold, filled by `permit-ledger migrate` from the program's own list.
-- An event of any other topic would stop every later start.
CREATE TABLE ledger.topics (
    topic text NOT NULL,
    CONSTRAINT topics_topic PRIMARY KEY (topic)
);
GRANT SELECT ON ledger.topics TO permit_ledger_service;

-- Stops a mistake, also the owner's, but no intent: an owner can drop it. It runs once a statement, so
-- an INSERT costs nothing; it refuses a statement that matches no row as well.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: the log is only ever added to',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation',
              HINT = 'A mistake is put right by a further event.';
END
$$;
-- Enabled in sessions that call themselves a replica too (session_replication_role).
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.events IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';

-- NULL for what cannot be read, so that one broken state does not hide the rest of the log.
CREATE FUNCTION ledger.state_as_json(state bytea) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    body jsonb;
BEGIN
    body := convert_from(state, 'UTF8')::jsonb;
    RETURN CASE WHEN jsonb_typeof(body) = 'object' THEN body END;
EXCEPTION
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN NULL;
END
$$;
COMMENT ON FUNCTION ledger.state_as_json IS 'the JSON object that a state holds, or NULL';

-- The log for people with psql. Not granted to the service. The function stands in FROM so that it is
-- called once a row, not once a column.
CREATE VIEW ledger.readable_events AS
SELECT position, stream, version, topic,
       CASE WHEN pg_input_is_valid(body ->> 'timestamp', 'timestamptz')
            THEN (body ->> 'timestamp')::timestamptz END AS recorded_at,
       body ->> 'actor' AS actor,
       body ->> 'station' AS station,
       body ->> 'policy_version' AS policy_version,
       body ->> 'correlation_id' AS correlation_id,
       body - '{timestamp,actor,station,policy_version,correlation_id}'::text[] AS facts
FROM ledger.events, ledger.state_as_json(state) AS body;
COMMENT ON VIEW ledger.readable_events IS 'the log, readable, but for what is sealed in it';
COMMENT ON COLUMN ledger.readable_events.position IS 'place in the log: 1, 2, 3 … in commit order';
COMMENT ON COLUMN ledger.readable_events.stream IS 'the permit number';
COMMENT ON COLUMN ledger.readable_events.version IS 'place in the permit''s own history';
COMMENT ON COLUMN ledger.readable_events.topic IS 'what happened, and in which version it is told';
COMMENT ON COLUMN ledger.readable_events.recorded_at IS 'when, by the ledger''s clock';
COMMENT ON COLUMN ledger.readable_events.actor IS 'who did it: the subject of their token';
COMMENT ON COLUMN ledger.readable_events.station IS 'where; NULL where a holder did it';
COMMENT ON COLUMN ledger.readable_events.policy_version IS 'under which policy it was decided';
COMMENT ON COLUMN ledger.readable_events.correlation_id IS 'which request caused it';
COMMENT ON COLUMN ledger.readable_events.facts IS
    'what the event holds besides; NULL, as all before it, where the state can''t be read';

-- Requests to erase are few and wait for a second officer, who looks for them here.
CREATE INDEX events_erasure_requests ON ledger.events (position)
    WHERE topic IN ('permit.erasure-requested.v1', 'id-card.erasure-requested.v1');
