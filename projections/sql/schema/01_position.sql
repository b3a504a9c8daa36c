-- The views: rebuilt from the log at any time. They hold facts; what follows from a date is computed when
-- it is requested.

CREATE SCHEMA views;
GRANT USAGE ON SCHEMA views TO permit_ledger_service;

-- The log's position that every view has reached, moved in the same transaction as their rows; kept and
-- found like ledger.head.
CREATE TABLE views.position (
    position bigint NOT NULL CHECK (position >= 0)
);
CREATE UNIQUE INDEX position_position ON views.position (position);
INSERT INTO views.position (position) VALUES (0);
GRANT SELECT, UPDATE ON views.position TO permit_ledger_service;

CREATE FUNCTION views.reached() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position.position FROM views.position ORDER BY position.position DESC LIMIT 1;
END;
