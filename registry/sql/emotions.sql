-- Which emotions servers have predicted, by hour, version and label.

-- name: add
INSERT INTO predicted_emotions (hour, version, label, texts, held, score)
SELECT date_trunc('hour', clock_timestamp()), * FROM unnest(
    %(version)s::text[], %(label)s::text[], %(texts)s::bigint[], %(held)s::bigint[], %(score)s::double precision[]
)
ON CONFLICT (version, hour, label) DO UPDATE SET
    texts = predicted_emotions.texts + excluded.texts, held = predicted_emotions.held + excluded.held,
    score = predicted_emotions.score + excluded.score

-- name: delete_old
DELETE FROM predicted_emotions WHERE hour < clock_timestamp() - interval '400 days'

-- name: read
-- What was predicted with a version from the hour of one moment to before that of another, or to now.
SELECT label, sum(texts)::bigint AS texts, sum(held)::bigint AS held, sum(score) AS score FROM predicted_emotions
WHERE version = %(version)s AND hour >= date_trunc('hour', %(since)s::timestamptz)
    AND (%(until)s::timestamptz IS NULL OR hour < date_trunc('hour', %(until)s::timestamptz))
GROUP BY label ORDER BY label
