-- Of the permit years that ended in a month: how many were endorsed on time, within the days of grace, or
-- later, which sets a new anchor; how many are pending, still within the days of grace; and how many have
-- lapsed. A permit that had ended by then had nothing to endorse and is not counted.
CREATE OR REPLACE VIEW endorsement_outcomes AS
WITH terms AS (
    SELECT subject, anniversary(anchor, years) AS ran_out_on,
        lead(reason) OVER (PARTITION BY subject ORDER BY true_from, version) AS endorsed
    FROM effects WHERE name IN ('issued', 'endorsed')
), ends AS (
    SELECT subject, min(legal_date(true_from)) AS ended_on
    FROM effects WHERE name IN ('cancelled', 'voided', 'holder-erased') GROUP BY subject
)
SELECT month_of(ran_out_on) AS month, count(*) AS ran_out,
    count(*) FILTER (endorsed = 'on_time') AS on_time,
    count(*) FILTER (endorsed = 'in_grace') AS in_grace,
    count(*) FILTER (endorsed = 're_anchored') AS late,
    count(*) FILTER (endorsed IS NULL AND today() <= ran_out_on + grace_days()) AS pending,
    count(*) FILTER (endorsed IS NULL AND today() > ran_out_on + grace_days()) AS lapsed,
    round(count(*) FILTER (endorsed = 'on_time') / count(*), 4) AS on_time_share
FROM terms LEFT JOIN ends USING (subject)
WHERE ran_out_on <= today() AND (endorsed IS NOT NULL OR ended_on IS NULL OR ended_on >= ran_out_on)
GROUP BY month ORDER BY month DESC LIMIT 36;
