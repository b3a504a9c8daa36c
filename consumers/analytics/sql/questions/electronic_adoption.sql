-- The share of permits in force that were claimed on a phone, at the end of each month (for the current
-- month: today), by district.
CREATE TEMP VIEW electronic_adoption AS
SELECT month_of(day) AS month, nullif(division, '') AS division, sum(in_force) AS in_force, sum(claimed) AS claimed,
    rounded(1.0 * sum(claimed) / sum(in_force), 4) AS claimed_share
FROM standing WHERE in_force > 0 GROUP BY month, standing.division
ORDER BY month, nullif(standing.division, '') NULLS LAST;
