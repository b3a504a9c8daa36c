-- Holders: who holds a permit now, and with which key their personal data is encrypted.
--
-- A holder's key is stored wrapped by a key-encryption key (KEK), which is never stored here. An event's
-- personal part, a portrait and the face in a view can be decrypted with the holder's key alone; with
-- the key the holder is erased.

CREATE TABLE ledger.key_encryption_keys (
    kek_id text NOT NULL,
    check_value bytea NOT NULL,
    introduced_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    destroyed_at timestamptz,
    CONSTRAINT key_encryption_keys_id PRIMARY KEY (kek_id),
    CHECK (destroyed_at IS NULL OR closed_at IS NOT NULL)
);
COMMENT ON TABLE ledger.key_encryption_keys IS 'which KEKs holders'' keys are wrapped with; not the KEKs';
COMMENT ON COLUMN ledger.key_encryption_keys.check_value IS 'wrapped with it, to notice another one under its name';
COMMENT ON COLUMN ledger.key_encryption_keys.closed_at IS 'from then on no new key is wrapped with it';
COMMENT ON COLUMN ledger.key_encryption_keys.destroyed_at IS 'from then on nobody has it';
GRANT SELECT, INSERT (kek_id, check_value) ON ledger.key_encryption_keys TO permit_ledger_service;

-- One person, one permit: a citizen number (as a blind index) and the permit it holds now, if any. A row
-- whose number turned out to be another row's keeps its id and loses the index.
CREATE TABLE ledger.holders (
    holder_id text NOT NULL,
    citizen_index bytea,
    permit_number text,
    permit_numbers text[] NOT NULL DEFAULT '{}',
    restricted boolean NOT NULL DEFAULT false,
    kek_id text,
    wrapped bytea,
    CONSTRAINT holders_id PRIMARY KEY (holder_id),
    CONSTRAINT holders_citizen UNIQUE (citizen_index),
    CONSTRAINT holders_key CHECK ((kek_id IS NULL) = (wrapped IS NULL))
) WITH (fillfactor = 90); -- a rotation of the KEK writes every row once more
COMMENT ON TABLE ledger.holders IS 'whose key seals what, a person once in each register; who holds a permit now';
COMMENT ON COLUMN ledger.holders.permit_numbers IS 'every stream that this holder ever had, a permit''s or another one''s';
COMMENT ON COLUMN ledger.holders.restricted IS 'kept and not used: gets no further permit';
COMMENT ON COLUMN ledger.holders.wrapped IS 'the holder''s 256-bit key, wrapped; NULL once destroyed';
GRANT SELECT ON ledger.holders TO permit_ledger_service;

CREATE VIEW ledger.holder_keys AS SELECT holder_id, kek_id, wrapped FROM ledger.holders;
COMMENT ON VIEW ledger.holder_keys IS 'each holder''s key, and nothing else of them';
GRANT SELECT ON ledger.holder_keys TO permit_ledger_service;

-- A number that was corrected cannot be used for a second permit of the same person.
CREATE TABLE ledger.former_numbers (
    citizen_index bytea NOT NULL,
    holder_id text NOT NULL REFERENCES ledger.holders (holder_id),
    CONSTRAINT former_numbers_citizen PRIMARY KEY (citizen_index)
);
CREATE INDEX former_numbers_holder ON ledger.former_numbers (holder_id);
COMMENT ON TABLE ledger.former_numbers IS
    'blind indexes of numbers that a holder had before a correction: barred while the holder has a permit or is restricted';
GRANT SELECT ON ledger.former_numbers TO permit_ledger_service;

-- Corrections at a position up to this one were made before former numbers were kept.
CREATE TABLE ledger.former_numbers_since (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    position bigint NOT NULL CHECK (position >= 0)
);
INSERT INTO ledger.former_numbers_since (position) VALUES (0);
GRANT SELECT ON ledger.former_numbers_since TO permit_ledger_service;

-- A portrait belongs to the event that brought it, and is encrypted with its holder's key.
CREATE TABLE ledger.portraits (
    stream text NOT NULL,
    version integer NOT NULL,
    image bytea NOT NULL,
    CONSTRAINT portraits_event PRIMARY KEY (stream, version)
);
ALTER TABLE ledger.portraits ALTER COLUMN image SET STORAGE EXTERNAL; -- ciphertext cannot be compressed
COMMENT ON COLUMN ledger.portraits.image IS 'a JPEG or PNG, sealed';
GRANT SELECT ON ledger.portraits TO permit_ledger_service;

-- The only way to destroy a key, for ledger.append alone: every stream of the holder must be the
-- holder's by its first event, and must record the erasure. The topic's name is the same for every
-- stream type.
CREATE FUNCTION ledger.destroy_key(erased_holder_id text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    streams text[];
BEGIN
    SELECT permit_numbers INTO streams FROM ledger.holders
    WHERE holder_id = erased_holder_id FOR UPDATE;
    IF coalesce(streams, '{}') = '{}' OR EXISTS (
        SELECT FROM unnest(streams) AS wanted (name)
        WHERE NOT EXISTS (SELECT FROM ledger.events
                          WHERE stream = name AND version = 1
                            AND ledger.state_as_json(state) ->> 'holder_id' = erased_holder_id)
           OR NOT EXISTS (SELECT FROM ledger.events
                          WHERE stream = name AND topic ~ '^[a-z]+(-[a-z]+)*\.holder-erased\.v[1-9][0-9]*$'
                            AND ledger.state_as_json(state) ->> 'holder_id' = erased_holder_id)
    ) THEN
        RAISE EXCEPTION 'the log does not say that holder % is erased', erased_holder_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE ledger.holders
    SET kek_id = NULL, wrapped = NULL, citizen_index = NULL, permit_number = NULL
    WHERE holder_id = erased_holder_id;
    DELETE FROM ledger.former_numbers WHERE holder_id = erased_holder_id;
    DELETE FROM ledger.portraits WHERE stream = ANY (streams);
END
$$;
REVOKE ALL ON FUNCTION ledger.destroy_key FROM PUBLIC;
