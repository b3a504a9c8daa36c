-- The log is only ever added to: the service may do no more than that, and a change is refused.

-- The role that the service acts as. Roles are the cluster's: another database may have it already,
-- or be making it in this moment.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'permit_ledger_service') THEN
        CREATE ROLE permit_ledger_service NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'there is no role permit_ledger_service, and % may not create it', current_user
            USING ERRCODE = 'insufficient_privilege', HINT = format(
                'An administrator runs: CREATE ROLE permit_ledger_service NOLOGIN; and where %1$I'
                ' is to run the service too: GRANT permit_ledger_service TO %1$I;', current_user);
END
$$;

-- Who made the role may not act as it by that alone. Whoever owns the tables gains nothing by it, and
-- can run the service with one connection string.
DO $$
BEGIN
    IF pg_has_role('permit_ledger_service', 'MEMBER WITH ADMIN OPTION')
       AND NOT pg_has_role('permit_ledger_service', 'SET') THEN
        GRANT permit_ledger_service TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
    END IF;
END
$$;

GRANT SELECT ON public.permit_ledger_migrations TO permit_ledger_service;
GRANT USAGE ON SCHEMA ledger TO permit_ledger_service;
GRANT SELECT, INSERT ON ledger.events, ledger.answers, ledger.portraits, ledger.checks,
                        ledger.key_checks TO permit_ledger_service;
GRANT SELECT, UPDATE ON ledger.head TO permit_ledger_service;
GRANT SELECT, INSERT, UPDATE ON ledger.holders, ledger.clock TO permit_ledger_service;

-- Hygiene, not proof: it stops a slip of the hand, the owner's too, but an owner can drop it. Once for
-- a statement, so that an INSERT pays nothing; it refuses where no row would match as well.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of ledger.events is refused: the log is only ever added to', TG_OP
        USING ERRCODE = 'restrict_violation',
              HINT = 'A mistake is put right by a further event.';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.events
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
-- Also in a session that calls itself a replica (session_replication_role).
ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only;
COMMENT ON TRIGGER append_only ON ledger.events IS
    'refuses UPDATE, DELETE and TRUNCATE; hygiene, not proof: the owner can drop it';

-- For the topics that are in the log, each found from the one before it.
CREATE INDEX events_topic ON ledger.events (topic);

-- What can't be read is nothing, so that one broken state does not hide the rest of the log.
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

-- The log for people with psql. Granted to nobody: it shows names and citizen numbers.
-- The function stands in FROM so that it is called once a row, not once a column.
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

COMMENT ON VIEW ledger.readable_events IS
    'the log, readable; holds personal data, so only the owner may read it unless granted';
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
