-- The position is found by its value, like the heads of the log (ADR 34).

ALTER TABLE views.position DROP COLUMN only_row, RESET (fillfactor);
CREATE UNIQUE INDEX position_position ON views.position (position);

CREATE FUNCTION views.reached() RETURNS SETOF bigint ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off
BEGIN ATOMIC
    SELECT position.position FROM views.position ORDER BY position.position DESC LIMIT 1;
END;
