-- Applications for first identity cards: a view of another stream type, at the same position.

CREATE TABLE views.id_card_applications (
    receipt_number text PRIMARY KEY,
    holder_id text NOT NULL,
    version integer NOT NULL,
    stage text NOT NULL,
    stage_since date NOT NULL,
    accepted_on date NOT NULL,
    accepted_by text,
    hukou_province text NOT NULL,
    collection text NOT NULL,
    due_date date NOT NULL,
    due_date_provisional boolean NOT NULL,
    restricted boolean NOT NULL,
    erased boolean NOT NULL
) WITH (fillfactor = 85);
CREATE INDEX id_card_applications_due ON views.id_card_applications (due_date, receipt_number)
    WHERE stage IN ('accepted', 'sent_to_hukou_police', 'approved', 'produced');
CREATE INDEX id_card_applications_waiting ON views.id_card_applications (stage_since, receipt_number)
    WHERE stage = 'arrived';
CREATE INDEX id_card_applications_provisional ON views.id_card_applications (receipt_number)
    WHERE due_date_provisional AND stage NOT IN ('returned', 'collected', 'withdrawn');
GRANT SELECT, INSERT, UPDATE, DELETE ON views.id_card_applications TO permit_ledger_service;
