-- The tables of the statistics' file, besides the roll-ups. After any change here the file is filled again.

CREATE TABLE filled_from (layout TEXT NOT NULL, source TEXT NOT NULL);

-- The rules by which the roll-ups were computed, and how many events they count.
CREATE TABLE counted (rules TEXT NOT NULL, events INTEGER NOT NULL, recorded_at TEXT);

-- How far each feed ('events', 'checks') was read, committed together with its rows.
CREATE TABLE progress (
    feed TEXT NOT NULL,
    part INTEGER NOT NULL, -- the topic's partition; 0 for the log
    next_offset INTEGER NOT NULL,
    position INTEGER NOT NULL, -- of the last event that was taken, in the log
    position_offset INTEGER,
    seen TEXT,
    PRIMARY KEY (feed, part)
) WITHOUT ROWID;

-- One row for each event, those of a subject together. Instants are UTC, dates and instants ISO 8601; all
-- columns from `anchor` on may be null.
CREATE TABLE events (
    position INTEGER NOT NULL, -- the log's: 1, 2, 3 …
    kind TEXT NOT NULL, -- of stream: 'permit', 'id-card'
    name TEXT NOT NULL, -- 'issued', 'endorsed', …
    type_version INTEGER NOT NULL,
    subject TEXT NOT NULL, -- the permit's or receipt's number
    version INTEGER NOT NULL, -- of the event within its subject: 1, 2, 3 …
    recorded_at TEXT NOT NULL, -- by the ledger's clock
    station TEXT,
    actor TEXT, -- the officer, of a restriction or an erasure too; null if the holder acted
    anchor TEXT,
    years INTEGER,
    day TEXT, -- on which it happened, if the event states a day
    due_on TEXT, -- when the card is due
    card_serial INTEGER,
    division TEXT, -- GB/T 2260
    reason TEXT, -- ground of an issue, kind of an endorsement, reason of a replacement or an end
    fee_yuan INTEGER,
    type TEXT GENERATED ALWAYS AS (kind || '.' || name || '.v' || type_version) VIRTUAL,
    PRIMARY KEY (subject, version, position)
) WITHOUT ROWID;

-- One row for each check, whatever its outcome.
CREATE TABLE checks (
    position INTEGER PRIMARY KEY, -- among the checks: 1, 2, 3 …
    checked_at TEXT NOT NULL,
    permit_number TEXT, -- null if it is unknown, or its holder was erased
    track TEXT NOT NULL,
    scenario TEXT NOT NULL,
    outcome TEXT NOT NULL,
    reason TEXT,
    verifier TEXT -- keyed digest of the account, hex
);
CREATE INDEX checks_of_permit ON checks (permit_number) WHERE permit_number IS NOT NULL;

-- How many records each officer read on each day; replaced as a whole.
CREATE TABLE officer_reads (
    day TEXT NOT NULL,
    station TEXT NOT NULL,
    actor TEXT NOT NULL,
    reads INTEGER NOT NULL
);

-- Records that can't be counted: their place and the reason, never their content.
CREATE TABLE parked (
    part INTEGER NOT NULL,
    part_offset INTEGER NOT NULL,
    subject TEXT,
    reason TEXT NOT NULL
);

-- How many there are for each reason, and the first of them.
CREATE TABLE parked_reasons (
    reason TEXT PRIMARY KEY,
    records INTEGER NOT NULL,
    "partition" INTEGER NOT NULL,
    first_offset INTEGER NOT NULL
) WITHOUT ROWID;
