"""A database's schema as lines of text, to compare two of them."""

from ledger.database.connections import Connection

OURS = """
WITH ours AS (
    SELECT oid, nspname AS name FROM pg_namespace
    WHERE nspname IN ('ledger', 'views', 'views_next', 'views_previous')
), relations AS (
    SELECT class.*, ours.name || '.' || relname AS name
    FROM pg_class AS class JOIN ours ON ours.oid = relnamespace
    UNION ALL
    SELECT class.*, 'public.' || relname FROM pg_class AS class
    WHERE oid = 'public.permit_ledger_migrations'::regclass
), granted AS (
    SELECT 'schema ' || nspname AS what, coalesce(nspacl, acldefault('n', nspowner)) AS acl
    FROM pg_namespace JOIN ours USING (oid)
    UNION ALL
    SELECT 'relation ' || name, coalesce(relacl, acldefault('r', relowner)) FROM relations
    WHERE relkind IN ('r', 'v', 'm', 'p')
    UNION ALL
    SELECT 'column ' || name || '.' || attname, attacl
    FROM pg_attribute JOIN relations ON relations.oid = attrelid WHERE attacl IS NOT NULL
    UNION ALL
    SELECT 'function ' || pg_proc.oid::regprocedure, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc JOIN ours ON ours.oid = pronamespace
)
SELECT format('relation %s %s %s %s of %s', name, relkind, relpersistence, reloptions,
              pg_get_userbyid(relowner))
FROM relations
UNION ALL
SELECT format('column %s.%s at %s %s %s %s storage %s identity %s collation %s', name, attname,
              row_number() OVER (PARTITION BY attrelid ORDER BY attnum),
              format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid),
              attstorage, attidentity, nullif(attcollation, 0)::regcollation)
FROM pg_attribute JOIN relations ON relations.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT format('constraint %s %s %s', name, conname, pg_get_constraintdef(pg_constraint.oid))
FROM pg_constraint JOIN relations ON relations.oid = conrelid
WHERE contype <> 'n' -- since PostgreSQL 18; NOT NULL is compared with its column
UNION ALL
SELECT format('index %s', pg_get_indexdef(indexrelid))
FROM pg_index JOIN relations ON relations.oid = indrelid
UNION ALL
SELECT format('trigger %s %s', tgenabled, pg_get_triggerdef(pg_trigger.oid))
FROM pg_trigger JOIN relations ON relations.oid = tgrelid WHERE NOT tgisinternal
UNION ALL
SELECT format('view %s %s', name, pg_get_viewdef(oid)) FROM relations WHERE relkind = 'v'
UNION ALL
SELECT format('function %s', pg_get_functiondef(pg_proc.oid))
FROM pg_proc JOIN ours ON ours.oid = pronamespace
UNION ALL
SELECT format('comment %s %s: %s', type, identity, description)
FROM pg_description, pg_identify_object(classoid, objoid, objsubid)
WHERE schema IN ('ledger', 'views') OR identity ~ ' on (ledger|views)\\.'
UNION ALL
SELECT format('%s: %s to %s, may grant it: %s', what, privilege_type,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END, is_grantable)
FROM granted, aclexplode(acl)
"""


def schema_of(connection: Connection) -> list[str]:
    """All that the migrations make, in one order: relations, columns, constraints, indexes,
    triggers, functions, comments, grants."""
    return sorted(str(line) for (line,) in connection.execute(OURS).fetchall())


def rows_of(connection: Connection) -> dict[str, list[str]]:
    """All rows of every table, as text."""
    tables = connection.execute(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname IN ('ledger', 'views')"
    ).fetchall()
    return {
        str(table): sorted(
            str(row) for (row,) in connection.execute(f"SELECT t::text FROM {table} AS t")
        )
        for (table,) in tables
    }
