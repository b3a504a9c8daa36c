-- The transparency log: trees over what is recorded, their checkpoints, and a map of each permit's last
-- event, whose roots the manifests record.

-- Each tree's size; ledger.grow_tree moves it on. A tree's row is found by its size, the greatest one
-- first, like ledger.head. No constraint refers to it: it would be looked up by the tree's name alone.
CREATE TABLE ledger.trees (
    tree text NOT NULL CONSTRAINT trees_tree_check CHECK (tree IN ('events', 'checks', 'manifests', 'audit-reads')),
    size bigint NOT NULL CHECK (size >= 0),
    root bytea NOT NULL CHECK (octet_length(root) = 32),
    stopped text
);
CREATE UNIQUE INDEX trees_size ON ledger.trees (tree, size);
COMMENT ON COLUMN ledger.trees.stopped IS 'why nothing is signed, where that needs an operator';
INSERT INTO ledger.trees (tree, size, root)
SELECT tree, 0, sha256(''::bytea) FROM unnest('{events,checks,manifests,audit-reads}'::text[]) AS tree;
COMMENT ON TABLE ledger.trees IS 'the Merkle trees, each over a log: events, checks, manifests, audit reads';
GRANT SELECT, UPDATE (stopped) ON ledger.trees TO permit_ledger_service;

-- A tree as it is now.
CREATE FUNCTION ledger.tree_now(of_tree text)
RETURNS TABLE (tree text, size bigint, root bytea, stopped text) ROWS 1
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
BEGIN ATOMIC
    SELECT trees.tree, trees.size, trees.root, trees.stopped FROM ledger.trees
    WHERE trees.tree = of_tree ORDER BY trees.size DESC LIMIT 1;
END;

-- 256 hashes each, fewer at the right edge; leaves are level 0, full tiles the leaves of the next level.
CREATE TABLE ledger.tiles (
    tree text NOT NULL,
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
    tree text NOT NULL,
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

-- Each is a leaf of the tree of manifests: the size and root of the tree of events, and the root of the
-- map of last events at that size.
CREATE TABLE ledger.manifests (
    position bigint PRIMARY KEY CHECK (position > 0),
    entry bytea NOT NULL
);
GRANT SELECT ON ledger.manifests TO permit_ledger_service;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.manifests
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.manifests ENABLE ALWAYS TRIGGER append_only;

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

-- Move a tree on from the state that the caller found, with the tiles that this changes; false if it is
-- in another state. A tree never shrinks or runs ahead of its log, and a hash that is stored never
-- changes. Whether the hashes are the log's, `verify-log` and the witnesses tell: leaves are made
-- outside the database.
CREATE FUNCTION ledger.grow_tree(
    of_tree text, old_size bigint, old_root bytea, new_size bigint, new_root bytea,
    tile_level smallint[], tile_index bigint[], tile_hashes bytea[]
) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off AS $$
BEGIN
    UPDATE ledger.trees SET size = new_size, root = new_root
    WHERE tree = of_tree AND size = old_size AND root = old_root;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF new_size <= old_size OR new_size > (CASE of_tree
        WHEN 'events' THEN (SELECT position FROM ledger.log_end() AS head (position))
        WHEN 'checks' THEN (SELECT position FROM ledger.checks_end() AS checks_head (position))
        WHEN 'audit-reads' THEN (SELECT entry FROM ledger.audit_reads_end() AS head (entry))
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

-- Whose a line is, as name and id of the key; NULL if it is no signature line of a note.
CREATE FUNCTION ledger.signature_key(line text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN line ~ '^— [^[:space:][:cntrl:]+]+ ([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)?\n?$'
    THEN CASE
        WHEN octet_length(decode(split_part(line, ' ', 3), 'base64')) > 4
        THEN split_part(line, ' ', 2) || ' '
             || encode(substring(decode(split_part(line, ' ', 3), 'base64') FROM 1 FOR 4), 'hex')
    END
END;
REVOKE ALL ON FUNCTION ledger.signature_key FROM PUBLIC;

-- Keep signature lines of a checkpoint that is kept; returns how many of them it has now. Of each key
-- the first line stays, so no other comes beside the log's own, which is kept with its checkpoint.
-- Whether a line verifies, readers find out. A note has 64 lines at most: 16 are the log's. The
-- longest line has an ML-DSA-44 signature and a name of 255 bytes.
CREATE FUNCTION ledger.keep_signatures(
    of_tree text, of_size bigint, lines text[], are_cosignatures boolean
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(cardinality(lines), 0) NOT BETWEEN 1 AND 16 OR EXISTS (
        SELECT FROM unnest(lines) AS line
        WHERE octet_length(line) > 3584 OR ledger.signature_key(line) IS NULL
    ) THEN
        RAISE EXCEPTION 'a line is no signature' USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM FROM ledger.checkpoints WHERE tree = of_tree AND size = of_size FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no checkpoint of the tree of % is kept at %', of_tree, of_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.checkpoint_signatures (tree, size, line, is_cosignature)
    SELECT of_tree, of_size, own.line, are_cosignatures FROM (
        SELECT DISTINCT ON (ledger.signature_key(line)) line, place
        FROM unnest(lines) WITH ORDINALITY AS each (line, place)
        WHERE NOT EXISTS (
            SELECT FROM ledger.checkpoint_signatures AS kept
            WHERE kept.tree = of_tree AND kept.size = of_size
              AND ledger.signature_key(kept.line) = ledger.signature_key(each.line)
        )
        ORDER BY ledger.signature_key(line), place
    ) AS own
    ORDER BY own.place
    LIMIT (
        SELECT greatest(CASE WHEN are_cosignatures THEN 48 ELSE 16 END - count(*), 0)
        FROM ledger.checkpoint_signatures AS kept
        WHERE kept.tree = of_tree AND kept.size = of_size AND kept.is_cosignature = are_cosignatures
    )
    ON CONFLICT DO NOTHING;
    RETURN (
        SELECT count(*) FROM ledger.checkpoint_signatures AS kept
        WHERE kept.tree = of_tree AND kept.size = of_size AND kept.line = ANY (lines)
    );
END
$$;
REVOKE ALL ON FUNCTION ledger.keep_signatures FROM PUBLIC;

-- Keep cosignatures of witnesses, as above.
CREATE FUNCTION ledger.keep_cosignatures(of_tree text, of_size bigint, lines text[]) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT ledger.keep_signatures(of_tree, of_size, lines, true);
END;
REVOKE ALL ON FUNCTION ledger.keep_cosignatures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_cosignatures TO permit_ledger_service;

-- Keep a checkpoint of the tree as it is now, with the log's own signatures; returns how many of them
-- it has. Its time is the server's; only a development service has a clock that is ahead of that.
CREATE FUNCTION ledger.keep_checkpoint(
    of_tree text, of_size bigint, of_root bytea, lines text[]
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger.tree_now(of_tree)
                   WHERE size = of_size AND root = of_root) THEN
        RAISE EXCEPTION 'the tree of % has another root at %', of_tree, of_size
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.checkpoints (tree, size, root, signed_at)
    SELECT of_tree, of_size, of_root, clock_timestamp() + coalesce((
        SELECT ahead FROM ledger.clock
        WHERE NOT EXISTS (SELECT FROM ledger.issuer WHERE name <> 'permit-ledger-development')
    ), '0')
    ON CONFLICT DO NOTHING;
    RETURN ledger.keep_signatures(of_tree, of_size, lines, false);
END
$$;
REVOKE ALL ON FUNCTION ledger.keep_checkpoint FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.keep_checkpoint TO permit_ledger_service;

-- Add a manifest at the next position, of more entries than the one before: the roots of the tree of
-- events and of the map, both as they were at one size. Whether the map's is the log's, `verify-log` tells.
CREATE FUNCTION ledger.add_manifest(at_position bigint, new_entry bytea) RETURNS void
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
           SELECT FROM ledger.tree_now('events')
           WHERE size >= stated[2]::bigint
             AND (size > stated[2]::bigint OR encode(root, 'hex') = stated[1])
       ) THEN
        RAISE EXCEPTION 'no manifest can be added at %', at_position
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO ledger.manifests (position, entry) VALUES (at_position, new_entry);
END
$$;
REVOKE ALL ON FUNCTION ledger.add_manifest FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.add_manifest TO permit_ledger_service;
