-- name: read
SELECT generation, live_version AS live, previous_version AS previous, candidate, moved_at,
    clock_timestamp() - moved_at AS age
FROM live_pointer

-- name: lock
-- Whoever means to move the pointer waits here for whoever is moving it.
SELECT FROM live_pointer FOR UPDATE

-- name: compare_and_set
UPDATE live_pointer SET
    generation = generation + 1,
    previous_version = live_version,
    live_version = %(version)s,
    candidate = nullif(candidate, %(version)s),
    moved_at = clock_timestamp()
WHERE generation = %(generation)s

-- name: set_candidate
UPDATE live_pointer SET candidate = %(version)s

-- name: audit
INSERT INTO audit_log (actor, action, version, from_version, generation, reason, evidence)
SELECT %(actor)s, %(action)s, %(version)s, %(from_version)s, generation, %(reason)s, %(evidence)s FROM live_pointer

-- name: history
SELECT audit_id, at, actor, action, version, from_version, generation, reason, evidence
FROM audit_log ORDER BY audit_id DESC LIMIT %(limit)s

-- name: last_move
SELECT audit_id, at, actor, action, version, from_version, generation, reason, evidence
FROM audit_log WHERE action IN ('promote', 'rollback') ORDER BY audit_id DESC LIMIT 1

-- name: last_promotion
SELECT audit_id, at, actor, action, version, from_version, generation, reason, evidence
FROM audit_log WHERE action = 'promote' AND version = %(version)s ORDER BY audit_id DESC LIMIT 1
