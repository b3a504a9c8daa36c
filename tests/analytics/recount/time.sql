-- Legal dates and the log's instants, as in domain/calendar.py.

-- The caller sets the variable; without it, this is the date of the machine.
CREATE OR REPLACE MACRO today() AS coalesce(CAST(getvariable('today') AS DATE), current_date);

-- Days after the anniversary in which an endorsement keeps the anchor; set from the policy.
CREATE OR REPLACE MACRO grace_days() AS coalesce(CAST(getvariable('grace_days') AS INTEGER), 30);

-- The legal date at an instant: Asia/Shanghai, which has had one offset since 1991.
CREATE OR REPLACE MACRO legal_date(instant) AS CAST(instant + INTERVAL 8 HOUR AS DATE);

-- The instant at which a legal date begins.
CREATE OR REPLACE MACRO begins(legal_day) AS CAST(legal_day AS TIMESTAMP) - INTERVAL 8 HOUR;

-- The first day that is no longer covered: whole years from the anchor, clamped to the month's end.
CREATE OR REPLACE MACRO anniversary(anchor_day, granted_years) AS
    CAST(anchor_day + to_months(12 * granted_years) AS DATE);

CREATE OR REPLACE MACRO month_of(any_day) AS CAST(date_trunc('month', any_day) AS DATE);

-- Today and the last day of each of the twelve months before; or the requested days.
CREATE OR REPLACE VIEW days AS
SELECT DISTINCT unnest(coalesce(
    CAST(getvariable('days') AS DATE[]),
    [today()] || [CAST(month_of(today()) - to_months(n) AS DATE) - 1 FOR n IN range(12)]
)) AS day;
