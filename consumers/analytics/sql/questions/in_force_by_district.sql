-- How many permits were in force in each district on a date: by what is known today, and by what was known
-- at the end of that date.
CREATE TEMP VIEW in_force_by_district AS
SELECT day, nullif(division, '') AS division, in_force, known AS in_force_known_then
FROM standing WHERE in_force > 0 OR known > 0 ORDER BY day, nullif(division, '') NULLS LAST;
