-- Which permits each verifier's account checked by card on each of the last thirty days: how many, and how
-- many of them it had never checked before. The account is a keyed digest. Unusual is a number, over all
-- scenarios of the day, that looks like copying a register, not like meeting people.
CREATE TEMP VIEW verifier_days AS
WITH counted AS (
    SELECT day, verifier, scenario,
        coalesce(sum(n) FILTER (WHERE what = 'checks'), 0) AS checks,
        coalesce(sum(n) FILTER (WHERE what = 'permits'), 0) AS permits,
        coalesce(sum(n) FILTER (WHERE what = 'never_before'), 0) AS never_before,
        coalesce(sum(n) FILTER (WHERE what = 'refused'), 0) AS refused,
        sum(n) FILTER (WHERE what = 'permits_in_all') AS permits_in_all
    FROM verifier_checks WHERE day >= (SELECT date(today, '-29 days') FROM asked)
    GROUP BY day, verifier, scenario
), compared AS (
    SELECT *, coalesce(max(permits_in_all) OVER of_day, 0) >= 1000 OR sum(refused) OVER of_day >= 500
        AS is_unusual
    FROM counted WINDOW of_day AS (PARTITION BY day, verifier)
)
SELECT day, verifier, scenario, checks, permits, never_before, refused, is_unusual
FROM compared WHERE scenario <> ''
ORDER BY is_unusual DESC, day DESC, permits DESC, verifier, scenario LIMIT 2000;
