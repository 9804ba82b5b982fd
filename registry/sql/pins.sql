-- Versions that are kept whatever else is given up.

-- name: pin
INSERT INTO pins (version, actor, reason) VALUES (%(version)s, %(actor)s, %(reason)s)
ON CONFLICT (version) DO UPDATE SET actor = excluded.actor, reason = excluded.reason, pinned_at = excluded.pinned_at

-- name: unpin
DELETE FROM pins WHERE version = %(version)s

-- name: find
SELECT version, actor, reason, pinned_at FROM pins WHERE version = %(version)s

-- name: list_all
SELECT version, actor, reason, pinned_at FROM pins
