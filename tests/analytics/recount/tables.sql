-- The events and checks of the statistics' file, with DuckDB's types.

CREATE TABLE events (
    position BIGINT NOT NULL, kind VARCHAR NOT NULL, name VARCHAR NOT NULL, type VARCHAR NOT NULL,
    subject VARCHAR NOT NULL, version INTEGER NOT NULL, recorded_at TIMESTAMP NOT NULL, station VARCHAR,
    actor VARCHAR, anchor DATE, years INTEGER, day DATE, due_on DATE, card_serial INTEGER, division VARCHAR,
    reason VARCHAR, fee_yuan INTEGER
);

CREATE TABLE checks (
    position BIGINT NOT NULL, checked_at TIMESTAMP NOT NULL, permit_number VARCHAR, track VARCHAR NOT NULL,
    scenario VARCHAR NOT NULL, outcome VARCHAR NOT NULL, reason VARCHAR, verifier VARCHAR
);

CREATE TABLE officer_reads (day DATE NOT NULL, station VARCHAR NOT NULL, actor VARCHAR NOT NULL, reads BIGINT NOT NULL);
