"""Unreadable events: corrupted as they are inserted, and repaired later.

Bytes are replaced during the insert, so that no projector ever reads the good ones, which are kept
in another table. Only the log's owner can do either.
"""

from psycopg import sql

from ledger.database.connections import Connection

_PREPARE = """
    CREATE SCHEMA soak;
    CREATE TABLE soak.armed (n integer);
    CREATE TABLE soak.good (position bigint PRIMARY KEY, stream text, state bytea);
    CREATE FUNCTION soak.poison() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF NEW.version = 1 THEN
            RETURN NEW; -- the append itself reads it, to see whose stream it begins
        END IF;
        DELETE FROM soak.armed WHERE ctid = (SELECT min(ctid) FROM soak.armed);
        IF FOUND THEN
            INSERT INTO soak.good VALUES (NEW.position, NEW.stream, NEW.state);
            NEW.state := '{"unreadable'::bytea;
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER poison BEFORE INSERT ON ledger.events
        FOR EACH ROW EXECUTE FUNCTION soak.poison();
"""


class Poisoner:
    """On the owner's connections."""

    @staticmethod
    def prepare(owner: Connection) -> None:
        """Once a database."""
        owner.execute(_PREPARE)

    @staticmethod
    def poison(owner: Connection) -> None:
        """The next event that is appended to a permit that there is."""
        owner.execute("INSERT INTO soak.armed VALUES (1)")

    @staticmethod
    def cure(owner: Connection) -> list[str]:
        """Put all good bytes back; return the permits whose events they are."""
        with owner.transaction():
            owner.execute("ALTER TABLE ledger.events DISABLE TRIGGER append_only")
            owner.execute(
                "UPDATE ledger.events SET state = good.state"
                " FROM soak.good WHERE good.position = events.position"
            )
            owner.execute("ALTER TABLE ledger.events ENABLE ALWAYS TRIGGER append_only")
            cured = owner.execute("DELETE FROM soak.good RETURNING stream").fetchall()
        return sorted({str(stream) for (stream,) in cured})

    @staticmethod
    def disarm(owner: Connection) -> None:
        owner.execute(sql.SQL("DELETE FROM soak.armed"))
