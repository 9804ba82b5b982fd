-- What a Postgres is, whatever its schema: nothing here needs a table of the toolkit's.

-- name: server
-- Asked of the server itself: a pooler may tell another version when a connection begins.
SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
    pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only, clock_timestamp() AS now

-- name: pgvector
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS installed,
    (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS available,
    has_database_privilege(current_database(), 'CREATE') AS may_create

-- name: backend
SELECT pg_backend_pid() AS pid
