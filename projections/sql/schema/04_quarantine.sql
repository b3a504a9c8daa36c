-- The quarantine and the auditor: an error in one permit does not stop the others.

-- Quarantined permits: the first event that could not be read or applied, or that the auditor found to
-- differ. Later events wait for it in the log, in their order.
CREATE TABLE views.quarantine (
    permit_number text NOT NULL,
    position bigint NOT NULL,
    version integer NOT NULL,
    topic text NOT NULL,
    found_by text NOT NULL CHECK (found_by IN ('projector', 'auditor')),
    reason text NOT NULL,
    trace text NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    retries integer NOT NULL DEFAULT 0,
    retried_at timestamptz,
    CONSTRAINT quarantine_permit PRIMARY KEY (permit_number)
);
COMMENT ON COLUMN views.quarantine.permit_number IS 'the stream, whatever lifecycle it is of';
COMMENT ON COLUMN views.quarantine.position IS 'of the first event that the views do not hold';
COMMENT ON COLUMN views.quarantine.trace IS 'types and places in the code, no values';
GRANT SELECT, INSERT, UPDATE, DELETE ON views.quarantine TO permit_ledger_service;

-- What the auditor has compared since the ledger began.
CREATE TABLE views.audit (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    permits bigint NOT NULL DEFAULT 0,
    differences bigint NOT NULL DEFAULT 0,
    audited_at timestamptz
) WITH (fillfactor = 10);
INSERT INTO views.audit DEFAULT VALUES;
GRANT SELECT, UPDATE ON views.audit TO permit_ledger_service;
