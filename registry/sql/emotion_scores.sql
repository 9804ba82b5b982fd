-- What an emotion model says of songs. Current are scores of a song whose text is still that which they were made of; the
-- hash of the newest text template tells, as it covers all that emotions are read from.

-- name: count_pending
SELECT count(*) AS songs FROM song_texts
LEFT JOIN emotion_scores AS known ON known.song_id = song_texts.song_id
    AND known.artifact = %(artifact)s AND known.text_template = %(text_template)s
WHERE song_texts.template = %(template)s AND known.content_hash IS DISTINCT FROM song_texts.content_hash

-- name: pending
-- Songs beyond an id, up to another if one is given, whose scores are missing or stale.
SELECT songs.*, song_texts.content_hash, known.song_id IS NOT NULL AS replaces
FROM song_texts
JOIN songs ON songs.song_id = song_texts.song_id AND songs.song_id > %(after)s
LEFT JOIN emotion_scores AS known ON known.song_id = song_texts.song_id AND known.song_id > %(after)s
    AND known.artifact = %(artifact)s AND known.text_template = %(text_template)s
WHERE song_texts.template = %(template)s
    AND song_texts.song_id > %(after)s
    AND (%(until)s::text IS NULL OR song_texts.song_id <= %(until)s)
    AND known.content_hash IS DISTINCT FROM song_texts.content_hash
ORDER BY song_texts.song_id LIMIT %(limit)s

-- name: write
-- The songs are locked against being deleted meanwhile, in one order; of those that are gone nothing is written. Null is
-- written for those that cannot be read.
INSERT INTO emotion_scores (song_id, artifact, text_template, content_hash, scores)
SELECT songs.song_id, %(artifact)s, %(text_template)s, fresh.content_hash, fresh.scores::real[]
FROM unnest(%(song_ids)s::text[], %(hashes)s::bytea[], %(scores)s::text[]) AS fresh (song_id, content_hash, scores)
JOIN songs ON songs.song_id = fresh.song_id
ORDER BY songs.song_id FOR KEY SHARE OF songs
ON CONFLICT (song_id, artifact, text_template) DO UPDATE
SET content_hash = excluded.content_hash, scores = excluded.scores

-- name: read
SELECT known.song_id, known.scores FROM emotion_scores AS known
JOIN song_texts ON song_texts.song_id = known.song_id AND song_texts.template = %(template)s
    AND song_texts.content_hash = known.content_hash
WHERE known.song_id = ANY (%(song_ids)s)
    AND known.artifact = %(artifact)s AND known.text_template = %(text_template)s

-- name: delete_all
DELETE FROM emotion_scores WHERE artifact = %(artifact)s AND text_template = %(text_template)s
