-- How many permits were in force in each district on a date: by what is known today, and by what was known
-- at the end of that date.
CREATE OR REPLACE VIEW in_force_by_district AS
SELECT day, division, sum(in_force) AS in_force, sum(known) AS in_force_known_then
FROM (
    SELECT day, division, 1 AS in_force, 0 AS known
    FROM permits_by_day WHERE status = 'in_force'
    UNION ALL
    SELECT day, known_division, 0, 1
    FROM permits_by_day WHERE status_known_then = 'in_force'
)
GROUP BY day, division ORDER BY day, division;
