-- Taking a version's tables away while other versions are read.

-- name: wait_turn
-- Postgres detaches one partition of a table at a time. The lock ends with its transaction, so with a killed client too.
SELECT pg_advisory_xact_lock(7120114118)

-- name: detach
-- Waits for those who are reading the parent; whoever comes meanwhile waits for nobody and sees the table no more.
ALTER TABLE {parent} DETACH PARTITION {child} CONCURRENTLY

-- name: finalize_detach
ALTER TABLE {parent} DETACH PARTITION {child} FINALIZE

-- name: pending_detachments
-- Tables, of whichever version, whose interrupted detachment waits to be finished.
SELECT pg_class.relname AS child FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
WHERE inhparent = to_regclass(%(parent)s) AND inhdetachpending

-- name: attachment
-- A row if a table is a partition.
SELECT FROM pg_inherits WHERE inhparent = to_regclass(%(parent)s) AND inhrelid = to_regclass(%(child)s)

-- name: drop_tables
DROP TABLE IF EXISTS {version_songs}, {version_playlists}

-- name: drop_quarantine
DELETE FROM quarantine WHERE version = {version}

-- name: close_set
DELETE FROM vector_sets WHERE version = {version}

-- name: find_holder
-- Whom a detachment most likely waits for: the oldest transaction that holds one of the tables, else the oldest of all.
SELECT activity.pid, activity.usename AS "user", activity.application_name AS program,
    clock_timestamp() - activity.xact_start AS open_for
FROM pg_stat_activity AS activity
CROSS JOIN LATERAL (SELECT EXISTS (
    SELECT FROM pg_locks WHERE pg_locks.pid = activity.pid AND pg_locks.granted
    AND pg_locks.database = activity.datid
    AND pg_locks.relation IN (SELECT to_regclass(name) FROM unnest(%(tables)s::text[]) AS name)
) AS holds) AS locks
WHERE activity.datname = current_database() AND activity.pid <> pg_backend_pid()
    AND (locks.holds OR activity.backend_xmin IS NOT NULL)
ORDER BY locks.holds DESC, activity.xact_start LIMIT 1
