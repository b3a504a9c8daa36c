-- How many permits in force run out within 30, 60 and 90 days from today, by district. Days are counted to
-- the last valid day; each column includes the previous one.
CREATE TEMP VIEW endorsements_due AS
WITH ends AS (
    SELECT division, sum(n) FILTER (WHERE valid_until <= date(today, '+30 days')) AS in_30,
        sum(n) FILTER (WHERE valid_until <= date(today, '+60 days')) AS in_60, sum(n) AS in_90
    FROM asked CROSS JOIN due
    ON valid_until >= today AND valid_until <= date(today, '+90 days') AND due.day <= today
    GROUP BY division
)
SELECT nullif(standing.division, '') AS division, coalesce(in_30, 0) AS due_in_30_days, coalesce(in_60, 0) AS due_in_60_days,
    coalesce(in_90, 0) AS due_in_90_days, in_force
FROM standing LEFT JOIN ends USING (division)
WHERE day = (SELECT today FROM asked) AND in_force > 0 ORDER BY nullif(standing.division, '') NULLS LAST;
