-- The transparency log: trees over what is recorded, their checkpoints, and the manifests that name each
-- permit's last event.

-- Each tree's size; ledger.grow_tree moves it on.
CREATE TABLE ledger.trees (
    tree text PRIMARY KEY CHECK (tree IN ('events', 'checks', 'manifests')),
    size bigint NOT NULL CHECK (size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    stopped text
);
COMMENT ON COLUMN ledger.trees.stopped IS 'why nothing is signed, where that needs an operator';
INSERT INTO ledger.trees (tree, size, root)
SELECT tree, 0, sha256(''::bytea) FROM unnest('{events,checks,manifests}'::text[]) AS tree;
COMMENT ON TABLE ledger.trees IS 'the Merkle trees, each over a log: events, checks, manifests';
GRANT SELECT, UPDATE (stopped) ON ledger.trees TO permit_ledger_service;

-- 256 hashes each, fewer at the right edge; leaves are level 0, full tiles the leaves of the next level.
CREATE TABLE ledger.tiles (
    tree text NOT NULL REFERENCES ledger.trees,
    level smallint NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL CHECK (octet_length(hashes) % 32 = 0),
    CONSTRAINT tiles_place PRIMARY KEY (tree, level, index)
);
-- Hashes cannot be compressed, and one is read without the others.
ALTER TABLE ledger.tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
GRANT SELECT ON ledger.tiles TO permit_ledger_service;

-- A checkpoint that was signed may have been published, so it is kept for ever.
CREATE TABLE ledger.checkpoints (
    tree text NOT NULL REFERENCES ledger.trees,
    size bigint NOT NULL,
    root bytea NOT NULL,
    signed_at timestamptz NOT NULL,
    CONSTRAINT checkpoints_size PRIMARY KEY (tree, size)
);
CREATE INDEX checkpoints_signed ON ledger.checkpoints (tree, signed_at);
COMMENT ON COLUMN ledger.checkpoints.signed_at IS 'by the ledger''s clock';
GRANT SELECT ON ledger.checkpoints TO permit_ledger_service;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.checkpoints ENABLE ALWAYS TRIGGER append_only;

CREATE TABLE ledger.checkpoint_signatures (
    tree text NOT NULL,
    size bigint NOT NULL,
    number integer GENERATED ALWAYS AS IDENTITY,
    line text NOT NULL,
    is_cosignature boolean NOT NULL,
    CONSTRAINT checkpoint_signatures_line PRIMARY KEY (tree, size, line),
    FOREIGN KEY (tree, size) REFERENCES ledger.checkpoints
);
-- Witnesses sign few of all checkpoints.
CREATE INDEX checkpoint_signatures_cosigned ON ledger.checkpoint_signatures (tree, size)
    WHERE is_cosignature;
COMMENT ON COLUMN ledger.checkpoint_signatures.line IS
    'a signature line of a note: the log''s own, or a witness''s';
GRANT SELECT ON ledger.checkpoint_signatures TO permit_ledger_service;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoint_signatures
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.checkpoint_signatures ENABLE ALWAYS TRIGGER append_only;

-- Each is a leaf of the tree of manifests: the size and root of the tree of events, and the root over all
-- permits' last versions at that size.
CREATE TABLE ledger.manifests (
    position bigint PRIMARY KEY CHECK (position > 0),
    entry bytea NOT NULL
);
GRANT SELECT ON ledger.manifests TO permit_ledger_service;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.manifests
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.manifests ENABLE ALWAYS TRIGGER append_only;

-- The tree under the newest manifest: its leaves are permits in the order of their bytes. A tile of
-- level 0 lists them, with the last version of each.
CREATE TABLE ledger.manifest_tiles (
    level smallint NOT NULL,
    index bigint NOT NULL,
    hashes bytea NOT NULL,
    streams text[] COLLATE "C",
    versions integer[],
    CONSTRAINT manifest_tiles_place PRIMARY KEY (level, index)
);
ALTER TABLE ledger.manifest_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
CREATE INDEX manifest_tiles_first ON ledger.manifest_tiles ((streams[1])) WHERE level = 0;
GRANT SELECT, INSERT, DELETE ON ledger.manifest_tiles TO permit_ledger_service;

-- Move a tree on from the state that the caller found, with the tiles that this changes; false if it is
-- in another state. A tree never shrinks or runs ahead of its log, and a hash that is stored never
-- changes. Whether the hashes are the log's, `verify-log` and the witnesses tell: leaves are made
-- outside the database.
CREATE FUNCTION ledger.grow_tree(
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
REVOKE ALL ON FUNCTION ledger.grow_tree FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.grow_tree TO permit_ledger_service;

-- Keep signature lines of a checkpoint that is kept. Whose they are, readers verify.
CREATE FUNCTION ledger.keep_signatures(
    of_tree text, of_size bigint, lines text[], are_cosignatures boolean
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(lines) AS line
               WHERE line !~ '^— [^[:space:]+]+ [A-Za-z0-9+/]{7,}={0,2}\n?$') THEN
        RAISE EXCEPTION 'a line is no signature' USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature)
    SELECT of_tree, of_size, line, are_cosignatures FROM unnest(lines) AS line
    ON CONFLICT DO NOTHING;
END
$$;
REVOKE ALL ON FUNCTION ledger.keep_signatures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_signatures TO permit_ledger_service;

-- Keep a checkpoint of the tree as it is now, with the log's own signatures.
CREATE FUNCTION ledger.keep_checkpoint(
    of_tree text, of_size bigint, of_root bytea, "at" timestamptz, lines text[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.checkpoints (tree, size, root, signed_at)
    SELECT tree, size, root, "at" FROM ledger.trees
    WHERE tree = of_tree AND size = of_size AND root = of_root
    ON CONFLICT DO NOTHING;
    IF NOT EXISTS (SELECT FROM ledger.checkpoints
                   WHERE tree = of_tree AND size = of_size AND root = of_root) THEN
        RAISE EXCEPTION 'the tree of % has another root at %', of_tree, of_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM ledger.keep_signatures(of_tree, of_size, lines, false);
END
$$;
REVOKE ALL ON FUNCTION ledger.keep_checkpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_checkpoint TO permit_ledger_service;

-- Add a manifest at the next position, of a size that the tree of events has reached.
CREATE FUNCTION ledger.add_manifest(at_position bigint, new_entry bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF at_position <> (SELECT coalesce(max(position), 0) + 1 FROM ledger.manifests)
       OR ((convert_from(new_entry, 'UTF8')::json ->> 'log_size')::bigint
           <= (SELECT size FROM ledger.trees WHERE tree = 'events')) IS NOT TRUE THEN
        RAISE EXCEPTION 'no manifest can be added at %', at_position
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.manifests (position, entry) VALUES (at_position, new_entry);
END
$$;
REVOKE ALL ON FUNCTION ledger.add_manifest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.add_manifest TO permit_ledger_service;
