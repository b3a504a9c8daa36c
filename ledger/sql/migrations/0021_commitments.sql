-- Entries of the trees become commitments, for which rows get a salt; audit reads get a tree; and a map
-- that is kept up takes the place of the list of all permits.

-- 16 random bytes, from the server's source of secrets.
CREATE FUNCTION ledger.new_salt() RETURNS bytea LANGUAGE sql VOLATILE
RETURN substring(sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())) FROM 1 FOR 16);
REVOKE ALL ON FUNCTION ledger.new_salt FROM PUBLIC;

-- Rows that are there keep none: their entries are in the tree as they are.
ALTER TABLE ledger.events ADD COLUMN salt bytea;
ALTER TABLE ledger.events ALTER COLUMN salt SET DEFAULT ledger.new_salt();
ALTER TABLE ledger.events ADD CONSTRAINT events_salt CHECK (octet_length(salt) = 16);
COMMENT ON COLUMN ledger.events.salt IS
    'hides the row behind its public commitment in the tree; NULL where that names it';
ALTER TABLE ledger.checks ADD COLUMN salt bytea;
ALTER TABLE ledger.checks ALTER COLUMN salt SET DEFAULT ledger.new_salt();
ALTER TABLE ledger.checks ADD CONSTRAINT checks_salt CHECK (octet_length(salt) = 16);

-- Audit reads are in no tree yet: those that are there are numbered in their order.
ALTER TABLE ledger.audit_reads DISABLE TRIGGER append_only;
ALTER TABLE ledger.audit_reads
    ADD COLUMN salt bytea NOT NULL DEFAULT ledger.new_salt()
        CONSTRAINT audit_reads_salt CHECK (octet_length(salt) = 16),
    ADD COLUMN entry bigint;
UPDATE ledger.audit_reads SET entry = numbered.entry
FROM (SELECT position, row_number() OVER (ORDER BY position) AS entry FROM ledger.audit_reads) AS numbered
WHERE audit_reads.position = numbered.position;
ALTER TABLE ledger.audit_reads
    ALTER COLUMN entry SET NOT NULL,
    ADD CONSTRAINT audit_reads_entry UNIQUE (entry);
ALTER TABLE ledger.audit_reads ENABLE ALWAYS TRIGGER append_only;
COMMENT ON COLUMN ledger.audit_reads.entry IS 'its number in the tree of audit reads: 1, 2, 3 … in commit order';

-- One row, which every record of a look locks until it commits.
CREATE TABLE ledger.audit_reads_head (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    entry bigint NOT NULL CHECK (entry >= 0)
) WITH (fillfactor = 10);
INSERT INTO ledger.audit_reads_head (entry) SELECT count(*) FROM ledger.audit_reads;
GRANT SELECT ON ledger.audit_reads_head TO permit_ledger_service;

DROP FUNCTION ledger.record_read;
-- Put a look on record; idempotent.
CREATE FUNCTION ledger.record_read(
    new_read_id uuid, "at" timestamptz, by_reader text, in_case text, of_what text, of_subject text,
    with_parameters jsonb, with_outcome text, of_request text
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    last bigint;
BEGIN
    SELECT audit_reads_head.entry INTO last FROM ledger.audit_reads_head FOR UPDATE;
    INSERT INTO ledger.audit_reads
        (read_id, read_at, reader, case_number, what, subject, parameters, outcome, correlation_id,
         entry)
    VALUES (new_read_id, ledger.require_present("at"), by_reader, in_case, of_what, of_subject,
            with_parameters, with_outcome, of_request, last + 1)
    ON CONFLICT (read_id) DO NOTHING;
    IF FOUND THEN
        UPDATE ledger.audit_reads_head SET entry = last + 1;
    END IF;
END
$$;
REVOKE ALL ON FUNCTION ledger.record_read FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.record_read TO permit_ledger_service;

ALTER TABLE ledger.trees DROP CONSTRAINT trees_tree_check;
ALTER TABLE ledger.trees ADD CONSTRAINT trees_tree_check
    CHECK (tree IN ('events', 'checks', 'manifests', 'audit-reads'));
INSERT INTO ledger.trees (tree, size, root) VALUES ('audit-reads', 0, sha256(''::bytea));
COMMENT ON TABLE ledger.trees IS 'the Merkle trees, each over a log: events, checks, manifests, audit reads';

DROP TABLE ledger.manifest_tiles;
-- The map of each stream's last event: a prefix tree in tiles of 16 slots, as of a position of the log. A
-- path has a byte for each tile that leads to it.
CREATE TABLE ledger.last_events (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32)
);
INSERT INTO ledger.last_events (position, root) VALUES (0, decode(repeat('00', 32), 'hex'));
CREATE TABLE ledger.last_events_tiles (
    path bytea NOT NULL,
    slots bytea NOT NULL,
    CONSTRAINT last_events_tiles_path PRIMARY KEY (path)
);
ALTER TABLE ledger.last_events_tiles ALTER COLUMN slots SET STORAGE EXTERNAL;
GRANT SELECT, UPDATE ON ledger.last_events TO permit_ledger_service;
GRANT SELECT, INSERT, UPDATE ON ledger.last_events_tiles TO permit_ledger_service;

-- As before, with the tree of audit reads.
CREATE OR REPLACE FUNCTION ledger.grow_tree(
    of_tree text, old_size bigint, old_root bytea, new_size bigint, new_root bytea,
    tile_level smallint[], tile_index bigint[], tile_hashes bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ledger.trees SET size = new_size, root = new_root
    WHERE tree = of_tree AND size = old_size AND root = old_root;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF new_size <= old_size OR new_size > (CASE of_tree
        WHEN 'events' THEN (SELECT position FROM ledger.head)
        WHEN 'checks' THEN (SELECT position FROM ledger.checks_head)
        WHEN 'audit-reads' THEN (SELECT entry FROM ledger.audit_reads_head)
        ELSE (SELECT coalesce(max(position), 0) FROM ledger.manifests)
    END) THEN
        RAISE EXCEPTION 'the tree of % does not grow from % to % entries', of_tree, old_size, new_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM unnest(tile_level, tile_index, tile_hashes) AS own (level, index, hashes)
        LEFT JOIN ledger.tiles AS stored
            ON stored.tree = of_tree AND stored.level = own.level AND stored.index = own.index
        WHERE own.index < 0
           OR octet_length(own.hashes) <> 32 * least(256, (new_size >> (8 * own.level)) - 256 * own.index)
           OR substring(own.hashes FROM 1 FOR octet_length(stored.hashes)) <> stored.hashes
    ) THEN
        RAISE EXCEPTION 'a tile of the tree of % is not what it was, and more', of_tree
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.tiles (tree, level, index, hashes)
    SELECT of_tree, * FROM unnest(tile_level, tile_index, tile_hashes)
    ON CONFLICT (tree, level, index) DO UPDATE SET hashes = excluded.hashes;
    RETURN true;
END
$$;

-- Add a manifest at the next position, of more entries than the one before: the roots of the tree of
-- events and of the map, both as they were at one size. Whether the map's is the log's, `verify-log` tells.
CREATE OR REPLACE FUNCTION ledger.add_manifest(at_position bigint, new_entry bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stated text[] := regexp_match(
        encode(new_entry, 'escape'),
        '^\{"log_root":"([0-9a-f]{64})","log_size":([1-9][0-9]{0,17}),"map_root":"([0-9a-f]{64})"\}$');
    newest record;
BEGIN
    SELECT position, substring(encode(entry, 'escape') FROM '"log_size":([0-9]{1,18})')::bigint AS log_size
    INTO newest FROM ledger.manifests ORDER BY position DESC LIMIT 1;
    IF at_position <> coalesce(newest.position, 0) + 1 OR stated IS NULL
       OR stated[2]::bigint <= newest.log_size
       OR NOT EXISTS (SELECT FROM ledger.last_events
                      WHERE position = stated[2]::bigint AND encode(root, 'hex') = stated[3])
       OR NOT EXISTS (
           SELECT FROM ledger.trees
           WHERE tree = 'events' AND size >= stated[2]::bigint
             AND (size > stated[2]::bigint OR encode(root, 'hex') = stated[1])
       ) THEN
        RAISE EXCEPTION 'no manifest can be added at %', at_position
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.manifests (position, entry) VALUES (at_position, new_entry);
END
$$;
