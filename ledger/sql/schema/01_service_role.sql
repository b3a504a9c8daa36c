-- The schema, and the role that the service acts as.

CREATE SCHEMA ledger;

-- Roles belong to the cluster: another database may have this one already, or be creating it now.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'permit_ledger_service') THEN
        CREATE ROLE permit_ledger_service NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL;
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'there is no role permit_ledger_service, and % may not create it', current_user
            USING ERRCODE = 'insufficient_privilege', HINT = format(
                'An administrator runs: CREATE ROLE permit_ledger_service NOLOGIN; and where %1$I'
                ' is to run the service too: GRANT permit_ledger_service TO %1$I;', current_user);
END
$$;

-- The user that created the role may not act as it by that alone. For the owner of the tables it is no
-- further right, and one connection string is enough to run the service.
DO $$
BEGIN
    IF pg_has_role('permit_ledger_service', 'MEMBER WITH ADMIN OPTION')
       AND NOT pg_has_role('permit_ledger_service', 'SET') THEN
        GRANT permit_ledger_service TO CURRENT_USER WITH INHERIT FALSE, SET TRUE;
    END IF;
END
$$;

GRANT SELECT ON public.permit_ledger_migrations TO permit_ledger_service;
GRANT USAGE ON SCHEMA ledger TO permit_ledger_service;
