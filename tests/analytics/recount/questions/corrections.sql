-- Corrections, and events that were recorded after the day from which they are true: by station, officer
-- and event, how often and how many days late. An imported permit counts as issued late. An identity
-- correction applies from the beginning and has no days.
CREATE OR REPLACE VIEW corrections AS
WITH late AS (
    SELECT station, actor, name,
        CASE WHEN name <> 'identity-corrected' THEN legal_date(known_from) - legal_date(true_from) END
            AS days_late
    FROM effects
    WHERE name = 'identity-corrected' OR (
        name IN ('issued', 'endorsed', 'address-changed', 'card-reported-lost')
        AND legal_date(true_from) < legal_date(known_from)
    )
)
SELECT station, actor, name AS what, count(*) AS times,
    quantile_cont(days_late, 0.5) AS p50_days_late, max(days_late) AS max_days_late
FROM late GROUP BY station, actor, name
ORDER BY times DESC, station, actor, what LIMIT 2000;
