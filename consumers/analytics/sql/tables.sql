-- The tables of the DuckDB file. Change one and the file is filled anew: it is made of the log alone.

CREATE TABLE filled_from (layout VARCHAR NOT NULL, source VARCHAR NOT NULL);

-- How far each feed ('events', 'checks') was read, committed together with what was read.
CREATE TABLE progress (
    feed VARCHAR NOT NULL,
    part INTEGER NOT NULL, -- the topic's partition; 0 for the log
    next_offset BIGINT NOT NULL,
    position BIGINT NOT NULL, -- the log's, of the last event taken from there
    position_offset BIGINT,
    seen VARCHAR,
    PRIMARY KEY (feed, part)
);

-- One row an event. Instants are of UTC; all columns from `anchor` on may be missing.
CREATE TABLE events (
    position BIGINT NOT NULL, -- the log's: 1, 2, 3 …
    kind VARCHAR NOT NULL, -- of stream: 'permit', 'id-card'
    name VARCHAR NOT NULL, -- 'issued', 'endorsed', …
    type VARCHAR NOT NULL, -- with kind and version: 'permit.issued.v1'
    subject VARCHAR NOT NULL, -- the permit's or receipt's number
    version INTEGER NOT NULL, -- the event's among those of its subject: 1, 2, 3 …
    recorded_at TIMESTAMP NOT NULL, -- by the ledger's clock
    station VARCHAR,
    actor VARCHAR, -- the officer; none where the holder acted
    anchor DATE,
    years INTEGER,
    day DATE, -- on which it happened, where an event says so of its own
    due_on DATE, -- by which the card is to be ready
    card_serial INTEGER,
    division VARCHAR, -- GB/T 2260
    reason VARCHAR, -- ground of an issue, kind of an endorsement, reason of a replacement or an end
    fee_yuan INTEGER
);

-- One row a check, whatever the answer was.
CREATE TABLE checks (
    position BIGINT NOT NULL, -- among the checks: 1, 2, 3 …
    checked_at TIMESTAMP NOT NULL,
    permit_number VARCHAR, -- none where it can't be told, or its holder was erased
    track VARCHAR NOT NULL,
    scenario VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    reason VARCHAR
);

-- Records that can't be counted: where they lie and why, never what they hold.
CREATE TABLE parked (
    part INTEGER NOT NULL,
    part_offset BIGINT NOT NULL,
    subject VARCHAR,
    reason VARCHAR NOT NULL
);
