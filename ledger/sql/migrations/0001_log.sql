-- The log and what has to be true in the same transaction as an append.

CREATE SCHEMA ledger;

-- One row, locked by every append until it commits: positions are 1, 2, 3 … in commit order, so a
-- reader that has seen a position has seen everything before it.
CREATE TABLE ledger.head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO ledger.head (position) VALUES (0);

CREATE TABLE ledger.events (
    position bigint NOT NULL CHECK (position > 0),
    stream text NOT NULL,
    version integer NOT NULL CHECK (version > 0),
    topic text NOT NULL,
    state bytea NOT NULL,
    CONSTRAINT events_position PRIMARY KEY (position),
    CONSTRAINT events_stream_version UNIQUE (stream, version)
);
COMMENT ON COLUMN ledger.events.stream IS 'the permit number';
COMMENT ON COLUMN ledger.events.state IS 'the event as JSON (UTF-8)';

-- What was answered to a command that came with an Idempotency-Key.
CREATE TABLE ledger.answers (
    caller text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    accepted boolean NOT NULL,
    body bytea NOT NULL,
    version integer,
    position bigint,
    answered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT answers_key PRIMARY KEY (caller, key)
);
COMMENT ON COLUMN ledger.answers.fingerprint IS 'keyed digest of the request, to tell a retry from another request';

-- One person, one permit: a citizen number (as a blind index) and the permit it holds now, if any.
-- A record whose number turned out to be another record's keeps its id and loses the index.
CREATE TABLE ledger.holders (
    holder_id text NOT NULL,
    citizen_index bytea,
    permit_number text,
    CONSTRAINT holders_id PRIMARY KEY (holder_id),
    CONSTRAINT holders_citizen UNIQUE (citizen_index),
    CONSTRAINT holders_permit UNIQUE (permit_number)
);

-- Pictures, by the SHA-256 digest that the event carries.
CREATE TABLE ledger.portraits (
    digest bytea PRIMARY KEY,
    image bytea NOT NULL
);

-- Every check that was asked for, refused ones too.
CREATE TABLE ledger.checks (
    check_id uuid PRIMARY KEY,
    checked_at timestamptz NOT NULL,
    verifier text NOT NULL,
    scenario text NOT NULL,
    track text NOT NULL,
    permit_number text,
    card_serial integer,
    outcome text NOT NULL,
    reason text,
    fields text[] NOT NULL,
    as_of_position bigint NOT NULL
);
CREATE INDEX checks_of_permit ON ledger.checks (permit_number, checked_at DESC);

-- A value made with each key kept outside the database, to notice when it is another key.
CREATE TABLE ledger.key_checks (
    key_name text PRIMARY KEY,
    check_value bytea NOT NULL
);

-- Development only: how far the service's clock is ahead of the machine's.
CREATE TABLE ledger.clock (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    ahead interval NOT NULL
);
