-- How many permits in force run out within 30, 60 and 90 days from today, by district. Days are counted to
-- the last valid day; each column includes the previous one.
CREATE OR REPLACE VIEW endorsements_due AS
SELECT division,
    count(*) FILTER (valid_until <= today() + 30) AS due_in_30_days,
    count(*) FILTER (valid_until <= today() + 60) AS due_in_60_days,
    count(*) FILTER (valid_until <= today() + 90) AS due_in_90_days,
    count(*) AS in_force
FROM permits_now WHERE status = 'in_force'
GROUP BY division ORDER BY division;
