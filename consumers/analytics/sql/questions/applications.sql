-- Applications for first identity cards, by the month of acceptance: how many are open and overdue today,
-- were returned, withdrawn or collected, and how many days passed from acceptance to collection.
CREATE TEMP VIEW applications AS
SELECT month_of(accepted_on) AS month, sum(n) AS accepted,
    coalesce(sum(n) FILTER (WHERE outcome = ''), 0) AS open,
    coalesce(sum(n) FILTER (WHERE outcome = '' AND due_on <> '' AND due_on < today), 0) AS overdue,
    coalesce(sum(n) FILTER (WHERE outcome = 'returned'), 0) AS returned,
    coalesce(sum(n) FILTER (WHERE outcome IN ('withdrawn', 'holder-erased')), 0) AS withdrawn,
    coalesce(sum(n) FILTER (WHERE outcome = 'collected'), 0) AS collected,
    quantile(days, n, 0.5) FILTER (WHERE outcome = 'collected') AS p50_days,
    quantile(days, n, 0.9) FILTER (WHERE outcome = 'collected') AS p90_days
FROM application_outcomes CROSS JOIN asked
GROUP BY month ORDER BY month DESC LIMIT 120;
