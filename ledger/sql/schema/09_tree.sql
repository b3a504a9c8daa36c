-- The transparency log: trees over what is recorded, their checkpoints, and the manifests that name each
-- permit's last event.

-- Each tree's size. The integrator moves a row on from what it was, or not at all.
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
GRANT SELECT, UPDATE ON ledger.trees TO permit_ledger_service;

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
GRANT SELECT, INSERT, UPDATE ON ledger.tiles TO permit_ledger_service;

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
GRANT SELECT, INSERT ON ledger.checkpoints TO permit_ledger_service;
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
GRANT SELECT, INSERT ON ledger.checkpoint_signatures TO permit_ledger_service;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.checkpoint_signatures
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
ALTER TABLE ledger.checkpoint_signatures ENABLE ALWAYS TRIGGER append_only;

-- Each is a leaf of the tree of manifests: the size and root of the tree of events, and the root over all
-- permits' last versions at that size.
CREATE TABLE ledger.manifests (
    position bigint PRIMARY KEY CHECK (position > 0),
    entry bytea NOT NULL
);
GRANT SELECT, INSERT ON ledger.manifests TO permit_ledger_service;
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
