-- Applications for first identity cards, by the month of acceptance: how many are open and overdue today,
-- were returned, withdrawn or collected, and how many days passed from acceptance to collection.
CREATE OR REPLACE VIEW applications AS
WITH happened AS (
    SELECT subject, name, version, day, due_on, legal_date(recorded_at) AS happened_on
    FROM events WHERE kind = 'id-card'
), accepted AS (
    SELECT subject, day AS accepted_on FROM happened WHERE name = 'accepted'
), due AS (
    SELECT subject, arg_max(due_on, version) FILTER (due_on IS NOT NULL) AS due_on
    FROM happened GROUP BY subject
), ended AS (
    -- The step that ends an application; an erasure ends an open one.
    SELECT subject, arg_min(name, version) AS name, min(happened_on) AS ended_on
    FROM happened WHERE name IN ('returned', 'withdrawn', 'collected', 'holder-erased')
    GROUP BY subject
)
SELECT month_of(accepted_on) AS month, count(*) AS accepted,
    count(*) FILTER (ended.name IS NULL) AS open,
    count(*) FILTER (ended.name IS NULL AND due.due_on < today()) AS overdue,
    count(*) FILTER (ended.name = 'returned') AS returned,
    count(*) FILTER (ended.name IN ('withdrawn', 'holder-erased')) AS withdrawn,
    count(*) FILTER (ended.name = 'collected') AS collected,
    quantile_cont(ended_on - accepted_on, 0.5) FILTER (ended.name = 'collected') AS p50_days,
    quantile_cont(ended_on - accepted_on, 0.9) FILTER (ended.name = 'collected') AS p90_days
FROM accepted LEFT JOIN due USING (subject) LEFT JOIN ended USING (subject)
GROUP BY month ORDER BY month DESC LIMIT 120;
