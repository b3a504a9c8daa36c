-- What the questions are asked for, in tables of the connection: the legal date that is today, and the days
-- that are shown.

CREATE TEMP TABLE asked (today TEXT NOT NULL, grace_days INTEGER NOT NULL);

CREATE TEMP TABLE days (day TEXT PRIMARY KEY, after TEXT NOT NULL) WITHOUT ROWID;

-- Permits in force at the end of each of the `days`, by district: each step is read once, and added to all
-- later days.
CREATE TEMP VIEW standing_now AS
WITH places AS (SELECT DISTINCT division FROM in_force),
changed AS (
    SELECT days.day, division,
        sum(n) FILTER (WHERE axis = 'true') AS in_force,
        sum(n) FILTER (WHERE axis = 'true' AND claimed) AS claimed,
        sum(n) FILTER (WHERE axis = 'known') AS known
    FROM days CROSS JOIN in_force ON in_force.day > days.after AND in_force.day <= days.day
    GROUP BY days.day, division
)
SELECT days.day, division,
    coalesce(sum(in_force) OVER up_to, 0) AS in_force,
    coalesce(sum(claimed) OVER up_to, 0) AS claimed,
    coalesce(sum(known) OVER up_to, 0) AS known
FROM days CROSS JOIN places LEFT JOIN changed USING (day, division)
WINDOW up_to AS (PARTITION BY division ORDER BY days.day);

-- The same, as of when the days were set: four questions read it.
CREATE TEMP TABLE standing (
    day TEXT NOT NULL,
    division TEXT NOT NULL,
    in_force INTEGER NOT NULL,
    claimed INTEGER NOT NULL,
    known INTEGER NOT NULL
);
