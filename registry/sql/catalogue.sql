-- name: lock_merges
-- Merges happen one after the other: two that touch the same songs in different order would block each other for good.
SELECT pg_advisory_xact_lock(7120114117)

-- name: wait_at_most
SELECT set_config('lock_timeout', %(timeout)s, true)

-- name: create_staging
-- Where the records of one import wait for their merge, in the order they came and with the line each came from.
CREATE TEMPORARY TABLE staged (
    ordinal bigint GENERATED ALWAYS AS IDENTITY, line bigint, kind text, song_id text, playlist_id text, record jsonb
) ON COMMIT DROP

-- name: copy_staging
COPY staged (line, kind, song_id, playlist_id, record) FROM STDIN

-- name: merge_songs
-- The last record of a song wins. What a file does not tell is left as it is known; a song that does not change is not
-- touched, so its vectors stay current.
INSERT INTO songs AS known (
    song_id, title, artist, album, isrc, genre, language, description, release_date, duration_ms, popularity,
    danceability, energy, key, loudness, mode, speechiness, acousticness, instrumentalness, liveness, valence, tempo,
    time_signature
)
SELECT
    r.song_id, r.title, r.artist, r.album, r.isrc, r.genre, r.language, r.description, r.release_date, r.duration_ms,
    r.popularity, r.danceability, r.energy, r.key, r.loudness, r.mode, r.speechiness, r.acousticness,
    r.instrumentalness, r.liveness, r.valence, r.tempo, r.time_signature
FROM (SELECT DISTINCT ON (song_id) record FROM staged WHERE kind = 'song' ORDER BY song_id, ordinal DESC) AS latest,
    jsonb_populate_record(NULL::songs, latest.record) AS r
ON CONFLICT (song_id) DO UPDATE SET
    title = excluded.title,
    artist = coalesce(excluded.artist, known.artist),
    album = coalesce(excluded.album, known.album),
    isrc = coalesce(excluded.isrc, known.isrc),
    genre = coalesce(excluded.genre, known.genre),
    language = coalesce(excluded.language, known.language),
    description = coalesce(excluded.description, known.description),
    release_date = coalesce(excluded.release_date, known.release_date),
    duration_ms = coalesce(excluded.duration_ms, known.duration_ms),
    popularity = coalesce(excluded.popularity, known.popularity),
    danceability = coalesce(excluded.danceability, known.danceability),
    energy = coalesce(excluded.energy, known.energy),
    key = coalesce(excluded.key, known.key),
    loudness = coalesce(excluded.loudness, known.loudness),
    mode = coalesce(excluded.mode, known.mode),
    speechiness = coalesce(excluded.speechiness, known.speechiness),
    acousticness = coalesce(excluded.acousticness, known.acousticness),
    instrumentalness = coalesce(excluded.instrumentalness, known.instrumentalness),
    liveness = coalesce(excluded.liveness, known.liveness),
    valence = coalesce(excluded.valence, known.valence),
    tempo = coalesce(excluded.tempo, known.tempo),
    time_signature = coalesce(excluded.time_signature, known.time_signature),
    updated_at = now()
WHERE (
    known.title, known.artist, known.album, known.isrc, known.genre, known.language, known.description,
    known.release_date, known.duration_ms, known.popularity, known.danceability, known.energy, known.key,
    known.loudness, known.mode, known.speechiness, known.acousticness, known.instrumentalness, known.liveness,
    known.valence, known.tempo, known.time_signature
) IS DISTINCT FROM (
    excluded.title, coalesce(excluded.artist, known.artist), coalesce(excluded.album, known.album),
    coalesce(excluded.isrc, known.isrc), coalesce(excluded.genre, known.genre),
    coalesce(excluded.language, known.language), coalesce(excluded.description, known.description),
    coalesce(excluded.release_date, known.release_date), coalesce(excluded.duration_ms, known.duration_ms),
    coalesce(excluded.popularity, known.popularity), coalesce(excluded.danceability, known.danceability),
    coalesce(excluded.energy, known.energy), coalesce(excluded.key, known.key),
    coalesce(excluded.loudness, known.loudness), coalesce(excluded.mode, known.mode),
    coalesce(excluded.speechiness, known.speechiness), coalesce(excluded.acousticness, known.acousticness),
    coalesce(excluded.instrumentalness, known.instrumentalness), coalesce(excluded.liveness, known.liveness),
    coalesce(excluded.valence, known.valence), coalesce(excluded.tempo, known.tempo),
    coalesce(excluded.time_signature, known.time_signature)
)
RETURNING (xmax = 0) AS added

-- name: merge_playlists
INSERT INTO playlists AS known (playlist_id, name, description, genre, subgenre, owner)
SELECT r.playlist_id, r.name, r.description, r.genre, r.subgenre, r.owner
FROM (
    SELECT DISTINCT ON (playlist_id) record FROM staged WHERE kind = 'playlist' ORDER BY playlist_id, ordinal DESC
) AS latest, jsonb_populate_record(NULL::playlists, latest.record) AS r
ON CONFLICT (playlist_id) DO UPDATE SET
    name = excluded.name,
    description = coalesce(excluded.description, known.description),
    genre = coalesce(excluded.genre, known.genre),
    subgenre = coalesce(excluded.subgenre, known.subgenre),
    owner = coalesce(excluded.owner, known.owner)
WHERE (known.name, known.description, known.genre, known.subgenre, known.owner) IS DISTINCT FROM (
    excluded.name, coalesce(excluded.description, known.description), coalesce(excluded.genre, known.genre),
    coalesce(excluded.subgenre, known.subgenre), coalesce(excluded.owner, known.owner)
)
RETURNING (xmax = 0) AS added

-- name: dangling
-- Staged memberships and feedback that name a song or playlist which nobody knows: the record, the field, the value.
SELECT ordinal, line, field, value FROM (
    SELECT ordinal, line, 'song_id' AS field, song_id AS value FROM staged
    WHERE kind IN ('membership', 'feedback') AND NOT EXISTS (SELECT FROM songs WHERE songs.song_id = staged.song_id)
    UNION ALL
    SELECT ordinal, line, 'playlist_id', playlist_id FROM staged
    WHERE kind IN ('membership', 'feedback')
        AND NOT EXISTS (SELECT FROM playlists WHERE playlists.playlist_id = staged.playlist_id)
    UNION ALL
    SELECT ordinal, line, 'from_playlist_id', record ->> 'from_playlist_id' FROM staged
    WHERE kind = 'feedback' AND record ->> 'from_playlist_id' IS NOT NULL
        AND NOT EXISTS (SELECT FROM playlists WHERE playlists.playlist_id = record ->> 'from_playlist_id')
) AS rows ORDER BY line, ordinal, field

-- name: drop_dangling
DELETE FROM staged WHERE ordinal = ANY (%(ordinals)s)

-- name: merge_memberships
INSERT INTO memberships AS known (playlist_id, song_id, source, added_at)
SELECT r.playlist_id, r.song_id, r.source, r.added_at
FROM (
    SELECT DISTINCT ON (playlist_id, song_id) record FROM staged WHERE kind = 'membership'
    ORDER BY playlist_id, song_id, ordinal DESC
) AS latest, jsonb_populate_record(NULL::memberships, latest.record) AS r
ON CONFLICT (playlist_id, song_id) DO UPDATE SET
    source = excluded.source, added_at = coalesce(excluded.added_at, known.added_at)
WHERE (known.source, known.added_at) IS DISTINCT FROM (excluded.source, coalesce(excluded.added_at, known.added_at))
RETURNING (xmax = 0) AS added

-- name: merge_feedback
INSERT INTO feedback (user_name, song_id, playlist_id, verdict, from_playlist_id, at)
SELECT record ->> 'user', song_id, playlist_id, record ->> 'verdict', record ->> 'from_playlist_id',
    (record ->> 'at')::timestamptz
FROM staged WHERE kind = 'feedback'
ON CONFLICT ON CONSTRAINT feedback_said_once DO NOTHING
RETURNING true AS added

-- name: remove_memberships
DELETE FROM memberships USING staged
WHERE kind = 'removal' AND staged.song_id = memberships.song_id AND staged.playlist_id = memberships.playlist_id
RETURNING false AS added

-- name: remove_songs
DELETE FROM songs USING staged
WHERE kind = 'removal' AND staged.song_id = songs.song_id AND staged.playlist_id IS NULL
RETURNING false AS added

-- name: remove_playlists
DELETE FROM playlists USING staged
WHERE kind = 'removal' AND staged.playlist_id = playlists.playlist_id AND staged.song_id IS NULL
RETURNING false AS added

-- name: templates_in_use
-- Those of the versions that have vectors, or may get some.
SELECT DISTINCT (spec ->> 'text_template')::int AS template FROM model_versions
WHERE stage NOT IN ('retired', 'rejected')

-- name: unrendered_songs
-- Songs beyond an id, or of those named, that have no text under a template, locked so that none changes between being read and having its
-- hash written; those that somebody is changing right now are left to whoever does. Both tables are told where to begin,
-- so that a page costs the same wherever it lies.
SELECT songs.* FROM songs
WHERE songs.song_id > %(after)s AND (%(only)s::text[] IS NULL OR songs.song_id = ANY (%(only)s)) AND NOT EXISTS (
    SELECT FROM song_texts WHERE song_texts.song_id = songs.song_id AND song_texts.template = %(template)s
    AND song_texts.song_id > %(after)s
)
ORDER BY songs.song_id LIMIT %(limit)s FOR SHARE OF songs SKIP LOCKED

-- name: write_texts
INSERT INTO song_texts (template, song_id, content_hash)
SELECT %(template)s, * FROM unnest(%(song_ids)s::text[], %(hashes)s::bytea[])
ON CONFLICT DO NOTHING

-- name: counts
SELECT
    (SELECT count(*) FROM songs) AS songs,
    (SELECT count(*) FROM playlists) AS playlists,
    (SELECT count(*) FROM memberships) AS memberships,
    (SELECT count(*) FROM feedback) AS feedback

-- name: all_songs
SELECT * FROM songs ORDER BY song_id COLLATE "C"

-- name: all_playlists
SELECT playlist_id, name, description, genre, subgenre, owner FROM playlists ORDER BY playlist_id COLLATE "C"

-- name: all_memberships
SELECT playlist_id, song_id, source, added_at FROM memberships ORDER BY playlist_id COLLATE "C", song_id COLLATE "C"

-- name: all_feedback
SELECT user_name AS user, song_id, playlist_id, verdict, from_playlist_id, at FROM feedback
ORDER BY at, user_name COLLATE "C", playlist_id COLLATE "C", song_id COLLATE "C", verdict

-- name: songs_by_id
SELECT * FROM songs WHERE song_id = ANY (%(song_ids)s)

-- name: find_songs
-- Songs by id, else by title or "artist - title" in any case, else by part of the title; the best known first.
WITH ranked AS (
    SELECT songs.*, CASE
        WHEN song_id = %(query)s THEN 0
        WHEN lower(title) = lower(%(query)s) OR lower(artist || ' - ' || title) = lower(%(query)s) THEN 1
        ELSE 2
    END AS rank
    FROM songs
    WHERE song_id = %(query)s
        OR lower(title) = lower(%(query)s)
        OR lower(artist || ' - ' || title) = lower(%(query)s)
        OR strpos(lower(title), lower(%(query)s)) > 0
)
SELECT * FROM ranked WHERE rank = (SELECT min(rank) FROM ranked)
ORDER BY popularity DESC NULLS LAST, song_id LIMIT %(limit)s

-- name: memberships_of_songs
SELECT song_id, playlist_id FROM memberships WHERE song_id = ANY (%(song_ids)s)

-- name: members_of_playlists
SELECT playlist_id, song_id FROM memberships WHERE playlist_id = ANY (%(playlist_ids)s)
ORDER BY playlist_id COLLATE "C", song_id COLLATE "C"

-- name: find_playlists
-- Playlists by id, else by name in any case, with what each was asked by.
WITH ranked AS (
    SELECT asked.name AS asked, playlists.*, playlists.playlist_id = asked.name AS by_id,
        bool_or(playlists.playlist_id = asked.name) OVER (PARTITION BY asked.name) AS any_by_id
    FROM unnest(%(names)s::text[]) AS asked (name)
    JOIN playlists ON playlists.playlist_id = asked.name OR lower(playlists.name) = lower(asked.name)
)
SELECT asked, playlist_id, name, description, genre, subgenre, owner FROM ranked WHERE by_id = any_by_id
ORDER BY asked COLLATE "C", playlist_id COLLATE "C"

-- name: recent_songs
-- The songs that came last, or that users spoke of last.
SELECT songs.* FROM songs LEFT JOIN (
    SELECT song_id, max(at) AS at FROM feedback GROUP BY song_id
) AS said USING (song_id)
ORDER BY greatest(songs.created_at, said.at) DESC, md5(songs.song_id) LIMIT %(limit)s

-- name: count_verdicts
-- Judgements within a time, and how many of them reject: a song that is moved away was rejected by where it was.
SELECT count(*) FILTER (WHERE verdict <> 'accept') AS rejected, count(*) AS judgements FROM feedback
WHERE at >= %(since)s AND at < %(until)s
