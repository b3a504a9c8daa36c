-- The two times of every event of a permit, as in domain/validity.py: since when it is known, and since
-- when it is true.

-- A permit's recording times never decrease, even if the clock was set back.
CREATE OR REPLACE VIEW recorded AS
SELECT *, max(recorded_at) OVER (PARTITION BY subject ORDER BY version) AS known_from
FROM events WHERE kind = 'permit';

-- Nothing is true before the issue of the permit, no endorsement before an earlier one, and no loss of a
-- card before the card was made or found. `place` is the order in which a permit's events became true.
CREATE OR REPLACE VIEW effects AS
WITH stated AS (
    SELECT *,
        CASE
            WHEN name = 'issued' THEN begins(anchor)
            WHEN name IN ('endorsed', 'address-changed') THEN begins(day)
            WHEN name = 'card-reported-lost' THEN coalesce(begins(day), known_from)
            ELSE known_from
        END AS stated_from,
        CASE
            WHEN name IN ('card-reported-lost', 'loss-lifted', 'card-reissued', 'card-replaced')
                THEN 'card'
            ELSE name
        END AS follows
    FROM recorded
), compared AS (
    SELECT *,
        max(stated_from) OVER (PARTITION BY subject, follows ORDER BY version) AS follows_from,
        max(stated_from) FILTER (name = 'issued') OVER (PARTITION BY subject) AS issued_from
    FROM stated
), dated AS (
    SELECT * EXCLUDE (stated_from, follows, follows_from, issued_from),
        greatest(
            CASE WHEN name IN ('endorsed', 'card-reported-lost') THEN follows_from ELSE stated_from END,
            issued_from
        ) AS true_from
    FROM compared
)
SELECT *,
    CAST(row_number() OVER (PARTITION BY subject ORDER BY true_from, version) AS INTEGER) AS place
FROM dated;

-- Every permit at the end of each of the `days`: by what is known today, and by what was known then.
CREATE OR REPLACE VIEW permits_by_day AS
WITH folded AS (
    SELECT day, subject AS permit_number,
        arg_max(anchor, place) FILTER (is_term) AS anchor,
        arg_max(years, place) FILTER (is_term) AS years,
        arg_max(division, place) FILTER (is_home) AS division,
        bool_or(name = 'electronic-claimed') AS claimed,
        bool_or(name = 'voided') AS voided,
        bool_or(name IN ('cancelled', 'holder-erased')) AS ended,
        arg_max(anchor, place) FILTER (is_term AND was_known) AS known_anchor,
        arg_max(years, place) FILTER (is_term AND was_known) AS known_years,
        arg_max(division, place) FILTER (is_home AND was_known) AS known_division,
        coalesce(bool_or(name IN ('voided', 'cancelled', 'holder-erased')) FILTER (was_known), false)
            AS known_ended
    FROM (
        SELECT days.day, subject, name, place, anchor, years, division,
            name IN ('issued', 'endorsed') AS is_term,
            name IN ('issued', 'address-changed') AS is_home,
            known_from < begins(days.day + 1) AS was_known
        FROM effects JOIN days ON true_from < begins(days.day + 1)
        WHERE name IN ('issued', 'endorsed', 'address-changed', 'electronic-claimed', 'voided',
            'cancelled', 'holder-erased')
    )
    GROUP BY day, subject
)
SELECT *, anniversary(anchor, years) - 1 AS valid_until,
    CASE
        WHEN anchor IS NULL THEN NULL
        WHEN voided THEN 'voided'
        WHEN ended THEN 'ended'
        WHEN day >= anniversary(anchor, years) THEN 'use_suspended'
        ELSE 'in_force'
    END AS status,
    CASE
        WHEN known_anchor IS NULL THEN NULL
        WHEN known_ended THEN 'ended'
        WHEN day >= anniversary(known_anchor, known_years) THEN 'use_suspended'
        ELSE 'in_force'
    END AS status_known_then
FROM folded;

CREATE OR REPLACE VIEW permits_now AS SELECT * FROM permits_by_day WHERE day = today();
