-- Events of each station in each of the last thirteen months, and the number of days with events.
CREATE OR REPLACE VIEW station_throughput AS
SELECT station, month_of(legal_date(known_from)) AS month,
    count(*) FILTER (name = 'issued') AS issued,
    count(*) FILTER (name = 'endorsed') AS endorsed,
    count(*) FILTER (name IN ('card-reissued', 'card-replaced', 'card-delivered')) AS cards,
    count(*) FILTER (name NOT IN
        ('issued', 'endorsed', 'card-reissued', 'card-replaced', 'card-delivered')) AS other,
    count(*) AS total,
    count(DISTINCT legal_date(known_from)) AS days_worked
FROM recorded
WHERE station IS NOT NULL AND legal_date(known_from) >= month_of(today()) - to_months(12)
GROUP BY station, month ORDER BY station, month LIMIT 20000;
