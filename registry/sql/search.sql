-- Searching whole versions. Every query names the version literally, so that Postgres plans for its partition alone.
-- {songs}, {playlists}: parent tables of one dimension, which hold whole versions only.

-- name: prepare
-- No row for a version that is not whole. For the others, in the transaction that asks, how its index is searched: how
-- far at first; that it goes on until k are found, for so many vectors; whether the planner may do without its order.
SELECT
    set_config('hnsw.ef_search', greatest(
        coalesce(CASE WHEN %(text)s THEN text_ef_search ELSE ef_search END, %(usual)s), %(k)s
    )::text, true),
    set_config('hnsw.iterative_scan', 'relaxed_order', true),
    set_config('hnsw.max_scan_tuples', '100000', true),
    set_config('hnsw.scan_mem_multiplier', '8', true),
    set_config('enable_sort', %(sort)s, true)
FROM vector_sets WHERE version = {version} AND attached_at IS NOT NULL

-- name: keeps_few
-- Whether a filter keeps so few songs that comparing all of these is faster than asking the index until it has found k
-- of them: a song compared takes about 2 µs, and each of the k / share nearest of the index 20. Comparing them is too
-- short for the start of more processes.
WITH few AS (
    SELECT sqrt(8.0 * %(k)s * greatest(reltuples, 10000))::bigint AS songs FROM pg_class WHERE oid = 'songs'::regclass
), kept AS (
    SELECT FROM songs
    WHERE (%(genre)s::text IS NULL OR lower(genre) = lower(%(genre)s::text))
        AND (%(language)s::text IS NULL OR lower(language) = lower(%(language)s::text))
    LIMIT (SELECT songs + 1 FROM few)
)
SELECT (SELECT count(*) FROM kept) <= (SELECT songs FROM few) AS few,
    set_config('max_parallel_workers_per_gather', '0', true)

-- name: nearest_songs
-- By the index, nearest first. A vector outlives its song for as long as reconcile takes to notice.
SELECT vector.song_id AS id, -(vector.embedding <#> %(vector)s) AS cosine FROM {songs} AS vector
WHERE vector.model_version = {version} AND EXISTS (SELECT FROM songs WHERE songs.song_id = vector.song_id)
ORDER BY vector.embedding <#> %(vector)s LIMIT %(k)s

-- name: nearest_songs_of
-- The same among the songs that a filter keeps, a null of which keeps all.
SELECT vector.song_id AS id, -(vector.embedding <#> %(vector)s) AS cosine FROM {songs} AS vector
JOIN songs ON songs.song_id = vector.song_id
WHERE vector.model_version = {version}
    AND (%(genre)s::text IS NULL OR lower(songs.genre) = lower(%(genre)s::text))
    AND (%(language)s::text IS NULL OR lower(songs.language) = lower(%(language)s::text))
ORDER BY vector.embedding <#> %(vector)s LIMIT %(k)s

-- name: nearest_songs_exactly
-- Ordered by what no index is ordered by: every vector that the filter keeps is compared.
SELECT vector.song_id AS id, -(vector.embedding <#> %(vector)s) AS cosine FROM {songs} AS vector
JOIN songs ON songs.song_id = vector.song_id
WHERE vector.model_version = {version}
    AND (%(genre)s::text IS NULL OR lower(songs.genre) = lower(%(genre)s::text))
    AND (%(language)s::text IS NULL OR lower(songs.language) = lower(%(language)s::text))
ORDER BY cosine DESC, vector.song_id LIMIT %(k)s

-- name: nearest_playlists
-- By their texts' vectors, exactly: there are few, and their rows change too often for an index.
SELECT profile.playlist_id AS id, -(profile.embedding <#> %(vector)s) AS cosine FROM {playlists} AS profile
JOIN playlists ON playlists.playlist_id = profile.playlist_id
WHERE profile.model_version = {version}
    AND (%(genre)s::text IS NULL OR lower(playlists.genre) = lower(%(genre)s::text))
    AND (%(owner)s::text IS NULL OR lower(playlists.owner) = lower(%(owner)s::text))
ORDER BY cosine DESC, profile.playlist_id LIMIT %(k)s
