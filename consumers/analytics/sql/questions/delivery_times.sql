-- How many days does a card take from its order to its holder's hands, by the station that ordered it:
-- half of them no longer than p50, nine in ten no longer than p90; and how many came late.
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
