-- Keys that clients of the HTTP service show, and what each may do.

-- Only a key's SHA-256 is kept. A key is 256 random bits: no list of likely ones can be tried against a stolen table, so
-- a slow hash would only slow the service down. A key that was revoked stays in the table, which is thereby its own
-- record of who gave whom what, and when it was taken back.
CREATE TABLE api_keys (
    key_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    role       text NOT NULL,
    digest     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    revoked_at timestamptz,
    revoked_by text,
    CONSTRAINT api_keys_name_once UNIQUE (name),
    CONSTRAINT api_keys_name_fit CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    CONSTRAINT api_keys_role_known CHECK (role IN ('read', 'write', 'admin')),
    CONSTRAINT api_keys_digest_is_sha256 CHECK (octet_length(digest) = 32),
    CONSTRAINT api_keys_revoked_whole CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE TRIGGER api_keys_immutable BEFORE UPDATE OF key_id, name, role, digest, created_at, created_by ON api_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change('api_keys_kept');
CREATE TRIGGER api_keys_revoked_once BEFORE UPDATE ON api_keys
    FOR EACH ROW WHEN (old.revoked_at IS NOT NULL) EXECUTE FUNCTION refuse_change('api_keys_kept');
CREATE TRIGGER api_keys_kept BEFORE DELETE ON api_keys
    FOR EACH ROW EXECUTE FUNCTION refuse_change('api_keys_kept');
CREATE TRIGGER api_keys_kept_whole BEFORE TRUNCATE ON api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('api_keys_kept');
