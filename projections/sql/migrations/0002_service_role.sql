-- What the projector and the readers do to the views, and no more. The role is made by the ledger's
-- migrations, which come first.

GRANT USAGE ON SCHEMA views TO permit_ledger_service;
GRANT SELECT, UPDATE ON views.position TO permit_ledger_service;
GRANT SELECT, INSERT, UPDATE ON views.physical_permits, views.electronic_permits, views.permit_search
    TO permit_ledger_service;
GRANT SELECT ON views.permits TO permit_ledger_service;
