-- Events of each station in each of the last thirteen months, and the number of days with events.
CREATE TEMP VIEW station_throughput AS
SELECT station, month_of(day) AS month,
    coalesce(sum(n) FILTER (WHERE what = 'issued'), 0) AS issued,
    coalesce(sum(n) FILTER (WHERE what = 'endorsed'), 0) AS endorsed,
    coalesce(sum(n) FILTER (WHERE what = 'cards'), 0) AS cards,
    coalesce(sum(n) FILTER (WHERE what = 'other'), 0) AS other,
    sum(n) AS total, count(DISTINCT day) AS days_worked
FROM station_days WHERE day >= (SELECT date(today, 'start of month', '-12 months') FROM asked)
GROUP BY station, month ORDER BY station, month LIMIT 20000;
