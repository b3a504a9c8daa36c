-- The tables of the DuckDB file. After any change here the file is rebuilt from the log.

CREATE TABLE filled_from (layout VARCHAR NOT NULL, source VARCHAR NOT NULL);

-- How far each feed ('events', 'checks') was read, committed together with its rows.
CREATE TABLE progress (
    feed VARCHAR NOT NULL,
    part INTEGER NOT NULL, -- the topic's partition; 0 for the log
    next_offset BIGINT NOT NULL,
    position BIGINT NOT NULL, -- of the last event that was taken, in the log
    position_offset BIGINT,
    seen VARCHAR,
    PRIMARY KEY (feed, part)
);

-- One row for each event. Instants are UTC; all columns from `anchor` on may be null.
CREATE TABLE events (
    position BIGINT NOT NULL, -- the log's: 1, 2, 3 …
    kind VARCHAR NOT NULL, -- of stream: 'permit', 'id-card'
    name VARCHAR NOT NULL, -- 'issued', 'endorsed', …
    type VARCHAR NOT NULL, -- with kind and version: 'permit.issued.v1'
    subject VARCHAR NOT NULL, -- the permit's or receipt's number
    version INTEGER NOT NULL, -- of the event within its subject: 1, 2, 3 …
    recorded_at TIMESTAMP NOT NULL, -- by the ledger's clock
    station VARCHAR,
    actor VARCHAR, -- the officer, of a restriction or an erasure too; null if the holder acted
    anchor DATE,
    years INTEGER,
    day DATE, -- on which it happened, if the event states a day
    due_on DATE, -- when the card is due
    card_serial INTEGER,
    division VARCHAR, -- GB/T 2260
    reason VARCHAR, -- ground of an issue, kind of an endorsement, reason of a replacement or an end
    fee_yuan INTEGER
);

-- One row for each check, whatever its outcome.
CREATE TABLE checks (
    position BIGINT NOT NULL, -- among the checks: 1, 2, 3 …
    checked_at TIMESTAMP NOT NULL,
    permit_number VARCHAR, -- null if it is unknown, or its holder was erased
    track VARCHAR NOT NULL,
    scenario VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    reason VARCHAR,
    verifier VARCHAR -- keyed digest of the account, hex
);

-- How many records each officer read on each day; replaced as a whole.
CREATE TABLE officer_reads (
    day DATE NOT NULL,
    station VARCHAR NOT NULL,
    actor VARCHAR NOT NULL,
    reads BIGINT NOT NULL
);

-- Records that can't be counted: their place and the reason, never their content.
CREATE TABLE parked (
    part INTEGER NOT NULL,
    part_offset BIGINT NOT NULL,
    subject VARCHAR,
    reason VARCHAR NOT NULL
);
