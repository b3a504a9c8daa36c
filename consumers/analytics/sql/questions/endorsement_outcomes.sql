-- Of the permit years that ended in a month: how many were endorsed on time, within the days of grace, or
-- later, which sets a new anchor; how many are pending, still within the days of grace; and how many have
-- lapsed. A permit that had ended by then had nothing to endorse and is not counted.
CREATE TEMP VIEW endorsement_outcomes AS
WITH by_month AS (
    SELECT month_of(ran_out_on) AS month, sum(n) AS ran_out,
        coalesce(sum(n) FILTER (WHERE endorsed = 'on_time'), 0) AS on_time,
        coalesce(sum(n) FILTER (WHERE endorsed = 'in_grace'), 0) AS in_grace,
        coalesce(sum(n) FILTER (WHERE endorsed = 're_anchored'), 0) AS late,
        coalesce(sum(n) FILTER (WHERE endorsed = '' AND ran_out_on >= open_from), 0) AS pending,
        coalesce(sum(n) FILTER (WHERE endorsed = '' AND ran_out_on < open_from), 0) AS lapsed
    FROM (SELECT today, date(today, '-' || grace_days || ' days') AS open_from FROM asked)
    CROSS JOIN outcomes ON ran_out_on <= today
    GROUP BY month ORDER BY month DESC LIMIT 36
)
SELECT *, rounded(1.0 * on_time / ran_out, 4) AS on_time_share FROM by_month ORDER BY month DESC;
