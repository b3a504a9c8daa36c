-- Permits that an investigator should look at: repeated losses, repeated checks of expired codes, checks of
-- superseded cards, many phones. A row is a pattern, not a finding.
CREATE OR REPLACE VIEW suspicious AS
WITH happened AS (
    SELECT 'many_losses' AS pattern, subject AS permit_number, recorded_at AS happened_at, 365 AS within_days, 3 AS least
    FROM recorded WHERE name = 'card-reported-lost'
    UNION ALL
    SELECT 'many_phones', subject, recorded_at, 30, 3
    FROM recorded WHERE name IN ('electronic-claimed', 'device-bound')
    UNION ALL
    SELECT 'replayed_codes', permit_number, checked_at, 1, 3
    FROM checks WHERE reason = 'not_live' AND permit_number IS NOT NULL
    UNION ALL
    SELECT 'dead_card_shown', permit_number, checked_at, 30, 1
    FROM checks WHERE reason = 'superseded_card' AND permit_number IS NOT NULL
), counted AS (
    SELECT *, count(*) OVER (
        PARTITION BY pattern, permit_number ORDER BY happened_at
        RANGE BETWEEN INTERVAL 365 DAY PRECEDING AND CURRENT ROW
    ) AS in_a_year, count(*) OVER (
        PARTITION BY pattern, permit_number ORDER BY happened_at
        RANGE BETWEEN INTERVAL 30 DAY PRECEDING AND CURRENT ROW
    ) AS in_a_month, count(*) OVER (
        PARTITION BY pattern, permit_number ORDER BY happened_at
        RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW
    ) AS in_a_day
    FROM happened
), most AS (
    SELECT *, CASE within_days WHEN 365 THEN in_a_year WHEN 30 THEN in_a_month ELSE in_a_day END AS times
    FROM counted
)
SELECT pattern, permit_number, max(times) AS times, any_value(within_days) AS within_days,
    min(happened_at) AS first_at, max(happened_at) AS last_at
FROM most WHERE permit_number NOT IN (SELECT subject FROM events WHERE name = 'holder-erased')
GROUP BY pattern, permit_number HAVING max(times) >= any_value(least)
ORDER BY last_at DESC, pattern, permit_number LIMIT 2000;
