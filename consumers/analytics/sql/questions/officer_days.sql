-- What each officer did on each of the last thirty days that ends, changes, restricts or erases other
-- people's records, and how many records were read. A restriction or an erasure counts in each of its
-- holder's records, and has no station. Unusual is what a supervisor should ask about, not a finding.
CREATE TEMP VIEW officer_days AS
WITH since AS (SELECT date(today, '-29 days') AS day FROM asked),
done AS (
    SELECT day, station, actor, name, n FROM officer_acts WHERE day >= (SELECT day FROM since)
    UNION ALL
    SELECT day, station, actor, 'reads', reads FROM officer_reads WHERE day >= (SELECT day FROM since)
), summed AS (
    SELECT day, station, actor,
        coalesce(sum(n) FILTER (WHERE name = 'voided'), 0) AS voided,
        coalesce(sum(n) FILTER (WHERE name = 'cancelled'), 0) AS cancelled,
        coalesce(sum(n) FILTER (WHERE name = 'identity-corrected'), 0) AS corrected,
        coalesce(sum(n) FILTER (WHERE name = 'holder-restricted'), 0) AS restricted,
        coalesce(sum(n) FILTER (WHERE name = 'holder-restriction-lifted'), 0) AS lifted,
        coalesce(sum(n) FILTER (WHERE name = 'holder-erased'), 0) AS erased,
        coalesce(sum(n) FILTER (WHERE name = 'reads'), 0) AS reads
    FROM done GROUP BY day, station, actor
)
SELECT *, voided >= 3 OR cancelled >= 20 OR corrected >= 20 OR restricted >= 20 OR lifted >= 20
    OR erased >= 10 OR reads >= 500 AS is_unusual
FROM summed ORDER BY is_unusual DESC, day DESC, voided DESC, erased DESC, reads DESC, station, actor LIMIT 2000;
