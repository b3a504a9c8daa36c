-- Days from the order of a card to its collection, by the station that ordered it: the median (p50), the
-- 90th percentile (p90), and how many were collected after the due date.
CREATE TEMP VIEW delivery_times AS
SELECT station, sum(n) AS cards, quantile(days, n, 0.5) AS p50_days, quantile(days, n, 0.9) AS p90_days,
    coalesce(sum(n) FILTER (WHERE is_late), 0) AS collected_after_due
FROM deliveries GROUP BY station ORDER BY station LIMIT 1000;
