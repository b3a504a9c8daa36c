-- The share of permits in force that were claimed on a phone, at the end of each month (for the current
-- month: today), by district.
CREATE OR REPLACE VIEW electronic_adoption AS
SELECT month_of(day) AS month, division, count(*) AS in_force, count(*) FILTER (claimed) AS claimed,
    round(count(*) FILTER (claimed) / count(*), 4) AS claimed_share
FROM permits_by_day WHERE status = 'in_force'
GROUP BY month, division ORDER BY month, division;
