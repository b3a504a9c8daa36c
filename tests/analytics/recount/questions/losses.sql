-- How many cards were reported lost, found, reissued, and replaced for another reason in each month; and
-- losses per thousand permits in force at the end of the month (for the current month: today).
CREATE OR REPLACE VIEW losses AS
WITH happened AS (
    SELECT month_of(legal_date(known_from)) AS month,
        count(*) FILTER (name = 'card-reported-lost') AS lost,
        count(*) FILTER (name = 'loss-lifted') AS found,
        count(*) FILTER (name = 'card-reissued') AS reissued,
        count(*) FILTER (name = 'card-replaced') AS replaced
    FROM recorded WHERE name IN ('card-reported-lost', 'loss-lifted', 'card-reissued', 'card-replaced')
    GROUP BY month
), standing AS (
    SELECT month_of(day) AS month, count(*) AS in_force
    FROM permits_by_day WHERE status = 'in_force' GROUP BY month
)
SELECT month, coalesce(lost, 0) AS lost, coalesce(found, 0) AS found,
    coalesce(reissued, 0) AS reissued, coalesce(replaced, 0) AS replaced, in_force,
    round(1000 * coalesce(lost, 0) / in_force, 2) AS lost_per_1000
FROM standing LEFT JOIN happened USING (month) ORDER BY month;
