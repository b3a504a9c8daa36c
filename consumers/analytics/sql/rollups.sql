-- The roll-ups, each changed in the transaction of the events or checks that change it; rollups.py computes
-- the changes. `n` is a count, or a step up or down on a day. After any change here they are computed again.

-- Steps of the permits in force: those up to a day, added up, are in force at its end. On the axis 'true' by
-- all that is known, on the axis 'known' by what was known at the end of the day itself.
CREATE TABLE in_force (
    day TEXT NOT NULL,
    division TEXT NOT NULL,
    axis TEXT NOT NULL,
    claimed INTEGER NOT NULL, -- 1 if claimed on a phone; on the axis 'true' alone
    n INTEGER NOT NULL,
    PRIMARY KEY (day, division, axis, claimed)
) WITHOUT ROWID;

-- Steps of the permits in force (axis 'true') by their last valid day, without the step on which they run out.
CREATE TABLE due (
    valid_until TEXT NOT NULL,
    division TEXT NOT NULL,
    day TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (valid_until, division, day)
) WITHOUT ROWID;

-- Permit years that run out on a day, by the kind of the endorsement that followed; '' if none did.
CREATE TABLE outcomes (
    ran_out_on TEXT NOT NULL,
    endorsed TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (ran_out_on, endorsed)
) WITHOUT ROWID;

-- Cards that were collected, by the days since their order.
CREATE TABLE deliveries (
    station TEXT NOT NULL,
    days INTEGER NOT NULL,
    is_late INTEGER NOT NULL, -- 1 if collected after the due day
    n INTEGER NOT NULL,
    PRIMARY KEY (station, days, is_late)
) WITHOUT ROWID;

-- Losses, finds, reissues and replacements by the day on which they were recorded.
CREATE TABLE card_events (
    day TEXT NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, name)
) WITHOUT ROWID;

-- Applications for identity cards by the day of acceptance and the event that ended them.
CREATE TABLE application_outcomes (
    accepted_on TEXT NOT NULL,
    outcome TEXT NOT NULL, -- '' while it is open
    due_on TEXT NOT NULL, -- of open ones
    days INTEGER NOT NULL, -- until the card was collected
    n INTEGER NOT NULL,
    PRIMARY KEY (accepted_on, outcome, due_on, days)
) WITHOUT ROWID;

-- Corrections (0 days), and events that were recorded days after they were true.
CREATE TABLE late_records (
    station TEXT NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    days_late INTEGER NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (station, actor, name, days_late)
) WITHOUT ROWID;

-- Events recorded at a station on a day: 'issued', 'endorsed', 'cards', 'other'.
CREATE TABLE station_days (
    day TEXT NOT NULL,
    station TEXT NOT NULL,
    what TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, station, what)
) WITHOUT ROWID;

-- What an officer did on a day that ends, changes, restricts or erases a record.
CREATE TABLE officer_acts (
    day TEXT NOT NULL,
    station TEXT NOT NULL,
    actor TEXT NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, station, actor, name)
) WITHOUT ROWID;

-- Permits that show a pattern, with how often and when; `n` is 1.
CREATE TABLE findings (
    pattern TEXT NOT NULL,
    permit_number TEXT NOT NULL,
    times INTEGER NOT NULL,
    within_days INTEGER NOT NULL,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (pattern, permit_number, times, within_days, first_at, last_at)
) WITHOUT ROWID;

-- Checks by their answer; all of them, and by day.
CREATE TABLE check_totals (
    scenario TEXT NOT NULL,
    track TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (scenario, track, outcome, reason)
) WITHOUT ROWID;

CREATE TABLE check_days (
    day TEXT NOT NULL,
    scenario TEXT NOT NULL,
    track TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, scenario, track, outcome, reason)
) WITHOUT ROWID;

-- A verifier's checks of cards on a day: 'checks', 'refused', different 'permits', those checked
-- 'never_before'; and 'permits_in_all' scenarios (scenario '').
CREATE TABLE verifier_checks (
    day TEXT NOT NULL,
    verifier TEXT NOT NULL,
    scenario TEXT NOT NULL,
    what TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, verifier, scenario, what)
) WITHOUT ROWID;
