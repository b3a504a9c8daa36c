-- Days from the order of a card to its collection, by the station that ordered it: the median (p50), the
-- 90th percentile (p90), and how many were collected after the due date.
CREATE OR REPLACE VIEW delivery_times AS
WITH made AS (
    SELECT subject, card_serial, station, due_on, legal_date(known_from) AS ordered_on
    FROM recorded WHERE name IN ('issued', 'card-reissued', 'card-replaced')
), delivered AS (
    SELECT subject, card_serial, min(day) AS delivered_on
    FROM recorded WHERE name = 'card-delivered' GROUP BY subject, card_serial
)
SELECT station, count(*) AS cards,
    quantile_cont(delivered_on - ordered_on, 0.5) AS p50_days,
    quantile_cont(delivered_on - ordered_on, 0.9) AS p90_days,
    count(*) FILTER (delivered_on > due_on) AS collected_after_due
FROM made JOIN delivered USING (subject, card_serial)
WHERE station IS NOT NULL
GROUP BY station ORDER BY station LIMIT 1000;
