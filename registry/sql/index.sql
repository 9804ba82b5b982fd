-- The nearest-neighbour index of one version's songs. {version_songs} is that version's own table: whole or being built.

-- name: create_index
CREATE INDEX IF NOT EXISTS {index} ON {version_songs} USING hnsw (embedding halfvec_ip_ops)

-- name: count_songs
SELECT count(*) AS songs FROM {version_songs}

-- name: server_room
-- Settings that say what the server has: memory in KiB, processes.
SELECT
    (SELECT setting::bigint FROM pg_settings WHERE name = 'maintenance_work_mem') AS maintenance,
    (SELECT setting::bigint * 8 FROM pg_settings WHERE name = 'effective_cache_size') AS cache,
    (SELECT setting::int FROM pg_settings WHERE name = 'max_parallel_maintenance_workers') AS maintenance_workers,
    (SELECT setting::int FROM pg_settings WHERE name = 'max_parallel_workers') AS parallel_workers

-- name: build_progress
-- What Postgres tells of an index being created on a table; pgvector counts tuples as they enter the graph.
SELECT tuples_done AS done, tuples_total AS total FROM pg_stat_progress_create_index
WHERE relid = to_regclass(%(table)s) AND datname = current_database()

-- name: settle
-- What searches stand on: current statistics, without which the planner takes a table just made for a small one; and the
-- map of what is visible to all, without which coverage would read every vector.
VACUUM (ANALYZE) {version_songs}, {version_playlists}

-- name: index_valid
SELECT coalesce(bool_and(pg_index.indisvalid AND pg_index.indisready), false) AS valid
FROM pg_index WHERE indexrelid = to_regclass(%(index)s)

-- name: probe_vectors
-- Vectors to measure the index's recall with, a repeatable sample of songs' own and of playlists' texts.
(SELECT false AS text, embedding FROM {version_songs} ORDER BY md5(song_id) LIMIT %(limit)s)
UNION ALL
(SELECT true, embedding FROM {version_playlists} ORDER BY md5(playlist_id) LIMIT %(limit)s)

-- name: nearest_distances
-- Negative inner products of the k nearest songs of the version's own table: whole or still being built.
SELECT embedding <#> %(vector)s AS distance FROM {version_songs} ORDER BY embedding <#> %(vector)s LIMIT %(k)s

-- name: record_quality
UPDATE vector_sets SET
    index_recall = %(recall)s, ef_search = %(ef_search)s, text_ef_search = %(text_ef_search)s
WHERE version = %(version)s
