-- Which permits each verifier's account checked by card on each of the last thirty days: how many, and how
-- many of them it had never checked before. The account is a keyed digest. Unusual is a number, over all
-- scenarios of the day, that looks like copying a register, not like meeting people.
CREATE OR REPLACE VIEW verifier_days AS
WITH checked AS (
    SELECT legal_date(checked_at) AS day, verifier, scenario, permit_number, outcome, checked_at,
        row_number() OVER (PARTITION BY verifier, permit_number ORDER BY position) AS nth
    FROM checks WHERE verifier IS NOT NULL AND track = 'physical'
), counted AS (
    SELECT day, verifier, scenario, count(*) AS checks,
        count(DISTINCT permit_number) AS permits,
        count(*) FILTER (nth = 1 AND permit_number IS NOT NULL) AS never_before,
        count(*) FILTER (outcome <> 'effective') AS refused
    FROM checked WHERE checked_at >= begins(today() - 29)
    GROUP BY day, verifier, scenario
), in_all AS (
    SELECT day, verifier, count(DISTINCT permit_number) AS permits_in_all,
        count(*) FILTER (outcome <> 'effective') AS refused_in_all
    FROM checked WHERE checked_at >= begins(today() - 29)
    GROUP BY day, verifier
)
SELECT counted.*, permits_in_all >= 1000 OR refused_in_all >= 500 AS is_unusual
FROM counted JOIN in_all USING (day, verifier)
ORDER BY is_unusual DESC, day DESC, permits DESC, verifier, scenario LIMIT 2000;
