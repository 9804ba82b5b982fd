-- Every query names the version literally, so that Postgres plans it for that version's partition alone.
-- {songs}, {playlists}: parent tables of one dimension, read by whoever answers requests: whole versions only.
-- {version_songs}, {version_playlists}: the tables of one version, written by reconcile, before and after attaching.

-- name: lock_layout
-- Making and attaching tables happens one at a time; readers and writers of vectors do not wait for it.
SELECT pg_advisory_xact_lock(7120114116)

-- name: create_parents
CREATE TABLE IF NOT EXISTS {songs} (
    model_version text NOT NULL,
    song_id       text NOT NULL,
    content_hash  bytea NOT NULL,
    embedding     halfvec({dimensions}) NOT NULL,
    PRIMARY KEY (model_version, song_id) INCLUDE (content_hash)
) PARTITION BY LIST (model_version);
CREATE TABLE IF NOT EXISTS {playlists} (
    model_version text NOT NULL,
    playlist_id   text NOT NULL,
    revision      bigint NOT NULL,
    text_hash     bytea NOT NULL,
    embedding     halfvec({dimensions}) NOT NULL,
    centroid      halfvec({dimensions}),
    song_count    integer NOT NULL,
    acoustic      jsonb NOT NULL,
    PRIMARY KEY (model_version, playlist_id)
) PARTITION BY LIST (model_version)

-- name: create_tables
-- A version's own tables, standing apart until they are whole. The check lets them be attached without a scan.
-- Altering them locks out every reader, so this is for versions that are not on the books: nobody reads theirs yet.
CREATE TABLE IF NOT EXISTS {version_songs} (
    LIKE {songs} INCLUDING ALL, CHECK (model_version = {version})
);
CREATE TABLE IF NOT EXISTS {version_playlists} (
    LIKE {playlists} INCLUDING ALL, CHECK (model_version = {version})
);
ALTER TABLE {version_songs} ALTER COLUMN embedding SET STORAGE PLAIN

-- name: settle_precision
-- The first to have measured decides; the others follow.
UPDATE vector_sets SET precision = coalesce(precision, %(precision)s) WHERE version = {version} RETURNING precision

-- name: open_set
INSERT INTO vector_sets (version, dimensions) VALUES ({version}, {dimensions}) ON CONFLICT DO NOTHING

-- name: read_set
SELECT version, dimensions, attached_at IS NOT NULL AS attached, index_recall, ef_search, text_ef_search, precision,
    profiles_revision
FROM vector_sets WHERE version = %(version)s

-- name: coverage
-- Catalogue against vectors. A song that is quarantined as it is now counts as neither missing nor stale.
SELECT
    count(*) FILTER (WHERE vector.song_id IS NULL AND quarantined.song_id IS NULL) AS missing,
    count(*) FILTER (
        WHERE vector.song_id IS NOT NULL AND quarantined.song_id IS NULL
        AND vector.content_hash IS DISTINCT FROM song_texts.content_hash
    ) AS stale,
    count(quarantined.song_id) AS quarantined,
    (SELECT count(*) FROM {version_songs} AS vector WHERE NOT EXISTS (
        SELECT FROM songs WHERE songs.song_id = vector.song_id
    )) AS orphaned,
    (SELECT count(*) FROM playlists WHERE NOT EXISTS (
        SELECT FROM {version_playlists} AS profile
        WHERE profile.playlist_id = playlists.playlist_id AND profile.revision = playlists.revision
    )) + (SELECT count(*) FROM {version_playlists} AS profile WHERE NOT EXISTS (
        SELECT FROM playlists WHERE playlists.playlist_id = profile.playlist_id
    )) AS playlists
FROM songs
LEFT JOIN song_texts ON song_texts.song_id = songs.song_id AND song_texts.template = {template}
LEFT JOIN {version_songs} AS vector ON vector.song_id = songs.song_id AND vector.model_version = {version}
LEFT JOIN quarantine AS quarantined ON quarantined.version = {version}
    AND quarantined.song_id = songs.song_id AND quarantined.content_hash = song_texts.content_hash

-- name: pending_songs
-- Songs beyond a given id, up to another if one is given, or of those named, that are missing or stale, with the hash that their new vector
-- will carry. Each table is told where to begin, so that a page costs the same wherever it lies.
SELECT songs.*, song_texts.content_hash, vector.song_id IS NOT NULL AS replaces
FROM song_texts
JOIN songs ON songs.song_id = song_texts.song_id AND songs.song_id > %(after)s
LEFT JOIN {version_songs} AS vector
    ON vector.song_id = song_texts.song_id AND vector.model_version = {version} AND vector.song_id > %(after)s
LEFT JOIN quarantine AS quarantined ON quarantined.version = {version} AND quarantined.song_id = song_texts.song_id
    AND quarantined.content_hash = song_texts.content_hash
WHERE song_texts.template = {template}
    AND song_texts.song_id > %(after)s
    AND (%(until)s::text IS NULL OR song_texts.song_id <= %(until)s)
    AND (%(only)s::text[] IS NULL OR song_texts.song_id = ANY (%(only)s))
    AND vector.content_hash IS DISTINCT FROM song_texts.content_hash
    AND quarantined.song_id IS NULL
ORDER BY song_texts.song_id LIMIT %(limit)s

-- name: copy_new
-- Straight into the version's table: for songs that have no vector yet.
COPY {version_songs} (model_version, song_id, content_hash, embedding) FROM STDIN WITH (FORMAT BINARY)

-- name: create_incoming
CREATE TEMPORARY TABLE incoming (
    model_version text, song_id text, content_hash bytea, embedding halfvec({dimensions})
) ON COMMIT DROP

-- name: copy_incoming
COPY incoming (model_version, song_id, content_hash, embedding) FROM STDIN WITH (FORMAT BINARY)

-- name: merge_incoming
INSERT INTO {version_songs} (model_version, song_id, content_hash, embedding)
SELECT model_version, song_id, content_hash, embedding FROM incoming
ON CONFLICT (model_version, song_id) DO UPDATE
SET content_hash = excluded.content_hash, embedding = excluded.embedding

-- name: drop_incoming
DROP TABLE incoming

-- name: write_quarantine
INSERT INTO quarantine (version, song_id, content_hash, reason)
SELECT {version}, song_id, %(content_hash)s, %(reason)s FROM songs WHERE song_id = %(song_id)s
ON CONFLICT (version, song_id) DO UPDATE
SET content_hash = excluded.content_hash, reason = excluded.reason, since = now()

-- name: delete_outdated
-- The vector of a song as it was before it was set aside: neither searches nor centroids may take it for the song's.
DELETE FROM {version_songs} AS vector USING song_texts
WHERE vector.model_version = {version} AND vector.song_id = %(song_id)s
    AND song_texts.song_id = vector.song_id AND song_texts.template = {template}
    AND song_texts.content_hash = %(content_hash)s AND vector.content_hash <> song_texts.content_hash

-- name: release_quarantine
-- Songs that have changed since they were set aside are tried again.
DELETE FROM quarantine USING song_texts
WHERE quarantine.version = {version} AND song_texts.song_id = quarantine.song_id
    AND song_texts.template = {template} AND song_texts.content_hash <> quarantine.content_hash

-- name: list_quarantine
SELECT version, song_id, reason, since FROM quarantine ORDER BY since LIMIT %(limit)s

-- name: delete_orphans
DELETE FROM {version_songs} AS vector
WHERE NOT EXISTS (SELECT FROM songs WHERE songs.song_id = vector.song_id)

-- name: delete_orphaned_profiles
DELETE FROM {version_playlists} AS profile
WHERE NOT EXISTS (SELECT FROM playlists WHERE playlists.playlist_id = profile.playlist_id)

-- name: forget_song
DELETE FROM {version_songs} WHERE song_id = %(song_id)s

-- name: forget_playlist
DELETE FROM {version_playlists} WHERE playlist_id = %(playlist_id)s

-- name: pending_playlists
SELECT playlists.playlist_id, name, description, genre, subgenre, owner, playlists.revision,
    profile.text_hash AS known_hash
FROM playlists
LEFT JOIN {version_playlists} AS profile
    ON profile.playlist_id = playlists.playlist_id AND profile.model_version = {version}
WHERE playlists.playlist_id > %(after)s
    AND (%(until)s::text IS NULL OR playlists.playlist_id <= %(until)s)
    AND (%(only)s::text[] IS NULL OR playlists.playlist_id = ANY (%(only)s))
    AND profile.revision IS DISTINCT FROM playlists.revision
ORDER BY playlists.playlist_id LIMIT %(limit)s

-- name: write_profiles
-- Centroids of texts and of audio features over the songs that a playlist holds now. Where a song's vector is not
-- current the profile is written as of revision 0, so that it counts as stale and is made again.
-- A null embedding means that the text has not changed and the one on record stays.
INSERT INTO {version_playlists} AS known (
    model_version, playlist_id, revision, text_hash, embedding, centroid, song_count, acoustic
)
SELECT
    {version}, fresh.playlist_id,
    CASE WHEN members.waiting > 0 THEN 0 ELSE fresh.revision END,
    fresh.text_hash,
    coalesce(fresh.embedding, (
        SELECT embedding FROM {version_playlists} AS profile WHERE profile.playlist_id = fresh.playlist_id
    )),
    members.centroid, members.song_count, jsonb_strip_nulls(members.acoustic)
FROM unnest(%(playlist_ids)s::text[], %(revisions)s::bigint[], %(hashes)s::bytea[], %(embeddings)s::halfvec[])
    AS fresh (playlist_id, revision, text_hash, embedding)
CROSS JOIN LATERAL (
    SELECT
        l2_normalize(avg(vector.embedding)) AS centroid,
        count(memberships.song_id) AS song_count,
        count(*) FILTER (
            WHERE songs.song_id IS NOT NULL AND quarantined.song_id IS NULL
            AND (song_texts.content_hash IS NULL OR vector.content_hash IS DISTINCT FROM song_texts.content_hash)
        ) AS waiting,
        jsonb_build_object(
            'danceability', avg(songs.danceability), 'energy', avg(songs.energy), 'loudness', avg(songs.loudness),
            'speechiness', avg(songs.speechiness), 'acousticness', avg(songs.acousticness),
            'instrumentalness', avg(songs.instrumentalness), 'liveness', avg(songs.liveness),
            'valence', avg(songs.valence), 'tempo', avg(songs.tempo)
        ) AS acoustic
    FROM memberships
    JOIN songs ON songs.song_id = memberships.song_id
    LEFT JOIN song_texts ON song_texts.song_id = songs.song_id AND song_texts.template = {template}
    LEFT JOIN {version_songs} AS vector
        ON vector.song_id = songs.song_id AND vector.model_version = {version}
    LEFT JOIN quarantine AS quarantined ON quarantined.version = {version}
        AND quarantined.song_id = songs.song_id AND quarantined.content_hash = song_texts.content_hash
    WHERE memberships.playlist_id = fresh.playlist_id
) AS members
JOIN playlists ON playlists.playlist_id = fresh.playlist_id
ON CONFLICT (model_version, playlist_id) DO UPDATE SET
    revision = excluded.revision, text_hash = excluded.text_hash, embedding = excluded.embedding,
    centroid = excluded.centroid, song_count = excluded.song_count, acoustic = excluded.acoustic

-- name: bump_profiles
UPDATE vector_sets SET profiles_revision = profiles_revision + 1 WHERE version = {version}

-- name: check_whole
-- What must hold before a version is shown: rows of this version only, of length 1, nothing that is not a number; songs
-- and playlists' texts alike.
SELECT count(*) AS rows, count(*) FILTER (
    WHERE model_version <> {version} OR abs(l2_norm(embedding) - 1) > 0.01 OR l2_norm(embedding) = 'NaN'
) AS bad
FROM (
    SELECT model_version, embedding FROM {version_songs}
    UNION ALL
    SELECT model_version, embedding FROM {version_playlists}
) AS vectors

-- name: attach
ALTER TABLE {songs} ATTACH PARTITION {version_songs} FOR VALUES IN ({version});
ALTER TABLE {playlists} ATTACH PARTITION {version_playlists} FOR VALUES IN ({version})

-- name: mark_attached
UPDATE vector_sets SET attached_at = now() WHERE version = {version}

-- name: song_vectors
-- Only current ones: a song that changed since is embedded afresh by whoever asks.
SELECT vector.song_id, vector.embedding FROM {songs} AS vector
JOIN song_texts ON song_texts.song_id = vector.song_id AND song_texts.template = {template}
    AND song_texts.content_hash = vector.content_hash
WHERE vector.model_version = {version} AND vector.song_id = ANY (%(song_ids)s)

-- name: quarantined
SELECT quarantine.song_id, quarantine.reason FROM quarantine
JOIN song_texts ON song_texts.song_id = quarantine.song_id AND song_texts.template = {template}
    AND song_texts.content_hash = quarantine.content_hash
WHERE quarantine.version = {version} AND quarantine.song_id = ANY (%(song_ids)s)

-- name: profile_revisions
SELECT profile.playlist_id, profile.revision
FROM {playlists} AS profile JOIN playlists ON playlists.playlist_id = profile.playlist_id
WHERE profile.model_version = {version}
ORDER BY profile.playlist_id COLLATE "C"

-- name: profiles
SELECT profile.playlist_id, playlists.name, playlists.description, playlists.genre, playlists.subgenre,
    playlists.owner, profile.embedding, profile.centroid, profile.song_count, profile.acoustic, profile.revision
FROM {playlists} AS profile JOIN playlists ON playlists.playlist_id = profile.playlist_id
WHERE profile.model_version = {version} AND profile.playlist_id = ANY (%(playlist_ids)s)
ORDER BY profile.playlist_id COLLATE "C"

-- name: members
-- The songs of playlists, of each the newest at most, with their vectors where these are current.
SELECT held.playlist_id, songs.*, vector.embedding
FROM unnest(%(playlist_ids)s::text[]) AS asked (playlist_id)
CROSS JOIN LATERAL (
    SELECT memberships.playlist_id, memberships.song_id FROM memberships
    WHERE memberships.playlist_id = asked.playlist_id
    ORDER BY memberships.added_at DESC NULLS LAST, memberships.song_id LIMIT %(most)s
) AS held
JOIN songs ON songs.song_id = held.song_id
LEFT JOIN song_texts ON song_texts.song_id = songs.song_id AND song_texts.template = {template}
LEFT JOIN {songs} AS vector ON vector.model_version = {version} AND vector.song_id = songs.song_id
    AND vector.content_hash = song_texts.content_hash
ORDER BY held.playlist_id COLLATE "C", held.song_id COLLATE "C"
