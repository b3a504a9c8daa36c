-- How many cards were reported lost, found, reissued, and replaced for another reason in each month; and
-- losses per thousand permits in force at the end of the month (for the current month: today).
CREATE TEMP VIEW losses AS
WITH months AS (
    SELECT month_of(day) AS month, sum(in_force) AS in_force FROM standing GROUP BY month
), happened AS (
    SELECT month,
        coalesce(sum(n) FILTER (WHERE name = 'card-reported-lost'), 0) AS lost,
        coalesce(sum(n) FILTER (WHERE name = 'loss-lifted'), 0) AS found,
        coalesce(sum(n) FILTER (WHERE name = 'card-reissued'), 0) AS reissued,
        coalesce(sum(n) FILTER (WHERE name = 'card-replaced'), 0) AS replaced
    FROM months CROSS JOIN card_events ON day >= month AND day < date(month, '+1 month')
    GROUP BY month
)
SELECT month, coalesce(lost, 0) AS lost, coalesce(found, 0) AS found,
    coalesce(reissued, 0) AS reissued, coalesce(replaced, 0) AS replaced, in_force,
    rounded(1000.0 * coalesce(lost, 0) / in_force, 2) AS lost_per_1000
FROM months LEFT JOIN happened USING (month) WHERE in_force > 0 ORDER BY month;
