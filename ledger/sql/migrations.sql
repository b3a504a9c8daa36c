-- name: exists
-- Whether any migration was ever applied here.
SELECT to_regclass('public.permit_ledger_migrations') IS NOT NULL;

-- name: create
CREATE TABLE IF NOT EXISTS public.permit_ledger_migrations (
    package text NOT NULL,
    file text NOT NULL,
    digest text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (package, file)
);

-- name: applied
SELECT package, file, digest FROM public.permit_ledger_migrations WHERE package = ANY(%s);

-- name: record
INSERT INTO public.permit_ledger_migrations (package, file, digest) VALUES (%s, %s, %s);

-- name: may_apply
-- Only the owner, who applied the first migrations; in an empty database, any user with CREATE.
SELECT current_user, coalesce(
    (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class
     WHERE oid = to_regclass('public.permit_ledger_migrations')),
    has_database_privilege(current_database(), 'CREATE')
    AND has_schema_privilege('public', 'CREATE'));

-- name: lock
SELECT pg_advisory_lock(%s);

-- name: unlock
SELECT pg_advisory_unlock(%s);
