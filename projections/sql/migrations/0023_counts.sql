-- How many permits there are, so that nothing has to count them: kept by triggers, in the transaction
-- that writes the rows, by any program.

CREATE TABLE views.counts (
    relation text NOT NULL,
    change bigint NOT NULL,
    permits bigint NOT NULL,
    permits_open bigint NOT NULL,
    claimed bigint NOT NULL
);
CREATE UNIQUE INDEX counts_change ON views.counts (relation, change);
COMMENT ON TABLE views.counts IS 'a row for each generation of the view, which keeps its count when it is switched';
COMMENT ON COLUMN views.counts.change IS 'moves with each change; the row is found by it, the greatest one first';
GRANT SELECT ON views.counts TO permit_ledger_service;

CREATE FUNCTION views.counts_of(of_relation text) RETURNS SETOF views.counts ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
BEGIN ATOMIC
    SELECT * FROM views.counts WHERE counts.relation = of_relation ORDER BY counts.change DESC LIMIT 1;
END;

CREATE FUNCTION views.keep_counts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    of_relation text := TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME;
    last bigint;
    more record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) AS permits, count(*) FILTER (WHERE ended IS NULL) AS permits_open,
               count(*) FILTER (WHERE claimed) AS claimed INTO more FROM added;
    ELSIF TG_OP = 'DELETE' THEN
        SELECT -count(*) AS permits, -count(*) FILTER (WHERE ended IS NULL) AS permits_open,
               -count(*) FILTER (WHERE claimed) AS claimed INTO more FROM removed;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT 0 AS permits,
               (SELECT count(*) FILTER (WHERE ended IS NULL) FROM added)
               - (SELECT count(*) FILTER (WHERE ended IS NULL) FROM removed) AS permits_open,
               (SELECT count(*) FILTER (WHERE claimed) FROM added)
               - (SELECT count(*) FILTER (WHERE claimed) FROM removed) AS claimed INTO more;
    ELSE
        UPDATE views.counts SET change = change + 1, permits = 0, permits_open = 0, claimed = 0
        WHERE relation = of_relation;
        RETURN NULL;
    END IF;
    IF more.permits = 0 AND more.permits_open = 0 AND more.claimed = 0 THEN
        RETURN NULL;
    END IF;
    SELECT change INTO last FROM views.counts
    WHERE relation = of_relation ORDER BY change DESC LIMIT 1 FOR UPDATE;
    UPDATE views.counts SET change = last + 1, permits = permits + more.permits,
        permits_open = permits_open + more.permits_open, claimed = claimed + more.claimed
    WHERE relation = of_relation AND change = last;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION views.keep_counts FROM PUBLIC;

-- Count a generation and have its count kept from now on. A rebuild does so before it is switched.
CREATE FUNCTION views.begin_counts(of_relation regclass) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    name text := (SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace
                  ON pg_namespace.oid = relnamespace WHERE pg_class.oid = of_relation);
BEGIN
    EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', of_relation);
    DELETE FROM views.counts WHERE relation = name;
    EXECUTE format(
        'INSERT INTO views.counts SELECT $1, 0, count(*), count(*) FILTER (WHERE ended IS NULL),'
        ' count(*) FILTER (WHERE claimed) FROM %s', of_relation) USING name;
    EXECUTE format(
        'CREATE TRIGGER count_inserted AFTER INSERT ON %s REFERENCING NEW TABLE AS added'
        ' FOR EACH STATEMENT EXECUTE FUNCTION views.keep_counts()', of_relation);
    EXECUTE format(
        'CREATE TRIGGER count_updated AFTER UPDATE ON %s'
        ' REFERENCING OLD TABLE AS removed NEW TABLE AS added'
        ' FOR EACH STATEMENT EXECUTE FUNCTION views.keep_counts()', of_relation);
    EXECUTE format(
        'CREATE TRIGGER count_deleted AFTER DELETE ON %s REFERENCING OLD TABLE AS removed'
        ' FOR EACH STATEMENT EXECUTE FUNCTION views.keep_counts()', of_relation);
    EXECUTE format(
        'CREATE TRIGGER count_truncated AFTER TRUNCATE ON %s'
        ' FOR EACH STATEMENT EXECUTE FUNCTION views.keep_counts()', of_relation);
END
$$;
REVOKE ALL ON FUNCTION views.begin_counts FROM PUBLIC;
SELECT views.begin_counts('views.electronic_permits');
