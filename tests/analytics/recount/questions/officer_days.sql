-- What each officer did on each of the last thirty days that ends, changes, restricts or erases other
-- people's records, and how many records were read. A restriction or an erasure counts in each of its
-- holder's records, and has no station. Unusual is what a supervisor should ask about, not a finding.
CREATE OR REPLACE VIEW officer_days AS
WITH done AS (
    SELECT legal_date(known_from) AS done_on, station, actor,
        count(*) FILTER (name = 'voided') AS voided,
        count(*) FILTER (name = 'cancelled') AS cancelled,
        count(*) FILTER (name = 'identity-corrected') AS corrected,
        0 AS restricted, 0 AS lifted, 0 AS erased, 0 AS reads
    FROM recorded
    WHERE actor IS NOT NULL AND station IS NOT NULL AND known_from >= begins(today() - 29)
      AND name IN ('voided', 'cancelled', 'identity-corrected')
    GROUP BY done_on, station, actor
    UNION ALL
    SELECT legal_date(recorded_at) AS done_on, coalesce(station, '') AS station, actor, 0, 0, 0,
        count(*) FILTER (name = 'holder-restricted'),
        count(*) FILTER (name = 'holder-restriction-lifted'),
        count(*) FILTER (name = 'holder-erased'), 0
    FROM events
    WHERE actor IS NOT NULL AND recorded_at >= begins(today() - 29)
      AND name IN ('holder-restricted', 'holder-restriction-lifted', 'holder-erased')
    GROUP BY ALL
    UNION ALL
    SELECT day, station, actor, 0, 0, 0, 0, 0, 0, reads FROM officer_reads WHERE day >= today() - 29
), summed AS (
    SELECT done_on AS day, station, actor, sum(voided) AS voided, sum(cancelled) AS cancelled,
        sum(corrected) AS corrected, sum(restricted) AS restricted, sum(lifted) AS lifted,
        sum(erased) AS erased, sum(reads) AS reads
    FROM done GROUP BY done_on, station, actor
)
SELECT *, voided >= 3 OR cancelled >= 20 OR corrected >= 20 OR restricted >= 20 OR lifted >= 20
    OR erased >= 10 OR reads >= 500 AS is_unusual
FROM summed ORDER BY is_unusual DESC, day DESC, voided DESC, erased DESC, reads DESC, station, actor LIMIT 2000;
