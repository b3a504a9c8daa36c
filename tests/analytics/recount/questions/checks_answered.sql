-- How often permits were checked, by scenario, track, outcome and reason.
CREATE OR REPLACE VIEW checks_answered AS
SELECT scenario, track, outcome, reason, count(*) AS checks,
    count(*) FILTER (checked_at >= begins(today() - 29)) AS checks_in_30_days
FROM checks GROUP BY scenario, track, outcome, reason
ORDER BY checks DESC, scenario, track, outcome, reason LIMIT 500;
