-- name: checks_head
SELECT position FROM ledger.checks_end() AS checks_head (position);

-- name: marks
-- All watched permits in one statement.
SELECT permit_number, version,
       (SELECT coalesce(max(position), 0) FROM ledger.checks
        WHERE checks.permit_number = electronic_permits.permit_number) AS checked
FROM views.electronic_permits
WHERE permit_number = ANY (%(permit_numbers)s);

-- name: first_since
-- The first position recorded at or after an instant, one past the head where there is none yet.
-- Positions have no gaps and follow the clock, so halving the log finds it in a few reads.
WITH RECURSIVE search (low, high) AS (
    SELECT 1::bigint, position + 1 FROM ledger.log_end() AS head (position)
    UNION ALL
    SELECT CASE WHEN early THEN middle + 1 ELSE low END, CASE WHEN early THEN high ELSE middle END
    FROM (
        SELECT low, high, position AS middle,
               coalesce((ledger.state_as_json(state) ->> 'timestamp')::timestamptz
                        < %(since)s, false) AS early
        FROM search JOIN ledger.events ON position = (low + high) / 2
        WHERE low < high
    ) AS halves
)
SELECT max(low) AS position FROM search WHERE low = high;

-- name: kinds
-- How many events of each kind there are after a position.
SELECT topic, count(*) AS times FROM ledger.events
WHERE position > %(after)s AND position <= %(upto)s GROUP BY topic;
