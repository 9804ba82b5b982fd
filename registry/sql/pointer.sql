-- name: read
SELECT generation, live_version AS live, previous_version AS previous, candidate, preparing, moved_at,
    clock_timestamp() - moved_at AS age
FROM live_pointer

-- name: lock
-- Whoever means to move the pointer waits here for whoever is moving it.
SELECT generation, live_version AS live, previous_version AS previous, candidate, preparing, moved_at,
    clock_timestamp() - moved_at AS age
FROM live_pointer FOR UPDATE

-- name: move
UPDATE live_pointer SET
    generation = generation + 1,
    previous_version = live_version,
    live_version = %(version)s,
    candidate = nullif(candidate, %(version)s),
    preparing = NULL,
    moved_at = clock_timestamp()

-- name: set_candidate
UPDATE live_pointer SET candidate = %(version)s

-- name: set_preparing
UPDATE live_pointer SET preparing = %(version)s WHERE preparing IS DISTINCT FROM %(version)s

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

-- name: served_at
-- The move that made a version live which was live at a moment, and when the next one ended that.
SELECT audit_id, at, actor, action, version, from_version, generation, reason, evidence, (
    SELECT min(later.at) FROM audit_log AS later
    WHERE later.action IN ('promote', 'rollback') AND later.audit_id > audit_log.audit_id
) AS until
FROM audit_log WHERE action IN ('promote', 'rollback') AND at <= %(moment)s ORDER BY audit_id DESC LIMIT 1
