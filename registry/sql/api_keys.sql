-- Keys of the HTTP service; of each only the digest is known.

-- name: add
INSERT INTO api_keys (name, role, digest, created_by) VALUES (%(name)s, %(role)s, %(digest)s, %(actor)s)
RETURNING name, role, digest, created_at, created_by, revoked_at, revoked_by

-- name: revoke
UPDATE api_keys SET revoked_at = clock_timestamp(), revoked_by = %(actor)s
WHERE name = %(name)s AND revoked_at IS NULL

-- name: find
SELECT name, role, digest, created_at, created_by, revoked_at, revoked_by FROM api_keys WHERE name = %(name)s

-- name: list_all
SELECT name, role, digest, created_at, created_by, revoked_at, revoked_by FROM api_keys ORDER BY key_id
