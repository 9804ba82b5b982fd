-- name: listen
LISTEN autosort_catalogue

-- name: counter
-- A sequence that was never called has the value that its first call gives.
SELECT last_value + is_called::int AS counter FROM catalogue_changes

-- name: writing
-- Whoever writes to a table holds a lock on it until others see what was written.
SELECT DISTINCT virtualtransaction AS transaction FROM pg_locks
WHERE locktype = 'relation' AND granted AND mode NOT IN ('AccessShareLock', 'RowShareLock')
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
AND relation IN ('songs'::regclass, 'playlists'::regclass, 'memberships'::regclass)
