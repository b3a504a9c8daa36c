-- The views: rebuilt from the log at any time. They hold facts; what follows from a date is computed when
-- it is requested.

CREATE SCHEMA views;
GRANT USAGE ON SCHEMA views TO permit_ledger_service;

-- The log's position that every view has reached, moved in the same transaction as their rows.
CREATE TABLE views.position (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
) WITH (fillfactor = 10);
INSERT INTO views.position (position) VALUES (0);
GRANT SELECT, UPDATE ON views.position TO permit_ledger_service;
