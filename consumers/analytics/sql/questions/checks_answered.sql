-- How often permits were checked, by scenario, track, outcome and reason.
CREATE TEMP VIEW checks_answered AS
WITH recent AS (
    SELECT scenario, track, outcome, reason, sum(n) AS checks
    FROM check_days WHERE day >= (SELECT date(today, '-29 days') FROM asked)
    GROUP BY scenario, track, outcome, reason
)
SELECT scenario, track, outcome, nullif(reason, '') AS reason, n AS checks,
    coalesce(checks, 0) AS checks_in_30_days
FROM check_totals LEFT JOIN recent USING (scenario, track, outcome, reason)
ORDER BY n DESC, scenario, track, outcome, nullif(reason, '') NULLS LAST LIMIT 500;
