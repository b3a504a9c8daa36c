-- Corrections, and events that were recorded after the day from which they are true: by station, officer
-- and event, how often and how many days late. An imported permit counts as issued late. An identity
-- correction applies from the beginning and has no days.
CREATE TEMP VIEW corrections AS
SELECT nullif(station, '') AS station, nullif(actor, '') AS actor, name AS what, sum(n) AS times,
    quantile(days_late, n, 0.5) FILTER (WHERE days_late > 0) AS p50_days_late,
    max(days_late) FILTER (WHERE days_late > 0) AS max_days_late
FROM late_records GROUP BY late_records.station, late_records.actor, name
ORDER BY times DESC, nullif(late_records.station, '') NULLS LAST, nullif(late_records.actor, '') NULLS LAST,
    what LIMIT 2000;
