-- Parallel runs and what they have shown.

-- name: start
INSERT INTO parallel_runs (kind, candidate, live, generation, sample, canary, actor)
SELECT %(kind)s, %(candidate)s, %(live)s, generation, %(sample)s, %(canary)s, %(actor)s FROM live_pointer
RETURNING *

-- name: find_open
-- The run that servers take part in.
SELECT * FROM parallel_runs WHERE kind = 'live' AND ended_at IS NULL

-- name: end_open
UPDATE parallel_runs SET ended_at = clock_timestamp() WHERE kind = 'live' AND ended_at IS NULL RETURNING *

-- name: end
UPDATE parallel_runs SET ended_at = clock_timestamp() WHERE run_id = %(run_id)s AND ended_at IS NULL

-- name: latest
-- Of each kind the latest run of two versions, if it has compared anything.
SELECT DISTINCT ON (kind) * FROM parallel_runs
WHERE candidate = %(candidate)s AND live = %(live)s
    AND EXISTS (SELECT FROM compared_requests WHERE compared_requests.run_id = parallel_runs.run_id)
ORDER BY kind, run_id DESC

-- name: latest_live
-- The version that a candidate was last compared with.
SELECT live FROM parallel_runs WHERE candidate = %(candidate)s ORDER BY run_id DESC LIMIT 1

-- name: copy_requests
COPY compared_requests (run_id, at, live_seconds, candidate_seconds, live_failed, candidate_failed) FROM STDIN

-- name: copy_songs
COPY compared_songs (
    run_id, at, song_id, user_name, genre, playlist_type, live_list, candidate_list, overlap, rank_biased_overlap,
    first_changed, shown, shown_by_candidate
) FROM STDIN

-- name: add_counts
INSERT INTO sampled_requests (run_id, server, seen, sampled, dropped)
VALUES (%(run_id)s, %(server)s, %(seen)s, %(sampled)s, %(dropped)s)
ON CONFLICT (run_id, server) DO UPDATE SET
    seen = sampled_requests.seen + excluded.seen,
    sampled = sampled_requests.sampled + excluded.sampled,
    dropped = sampled_requests.dropped + excluded.dropped

-- name: add_users
INSERT INTO canary_users (run_id, user_key, canary)
SELECT %(run_id)s, * FROM unnest(%(keys)s::bytea[], %(canary)s::boolean[])
ON CONFLICT DO NOTHING

-- name: song_figures
-- Over all songs, by genre and by type of playlist: how alike the answers are. A null says what is not grouped by.
SELECT
    CASE WHEN grouping(genre) = 0 THEN coalesce(genre, 'unknown') END AS genre,
    CASE WHEN grouping(playlist_type) = 0 THEN coalesce(playlist_type, 'unknown') END AS playlist_type,
    count(*) AS n,
    avg(overlap) AS overlap, coalesce(var_samp(overlap), 0) AS overlap_variance,
    avg(rank_biased_overlap) AS rank_biased_overlap,
    coalesce(var_samp(rank_biased_overlap), 0) AS rank_biased_overlap_variance,
    avg(first_changed::int) AS first_changed, coalesce(var_samp(first_changed::int), 0) AS first_changed_variance
FROM compared_songs WHERE run_id = %(run_id)s
GROUP BY GROUPING SETS ((), (genre), (playlist_type)) HAVING count(*) > 0
ORDER BY grouping(genre, playlist_type) DESC, n DESC, 1, 2

-- name: request_figures
SELECT
    count(*) AS n,
    count(*) FILTER (WHERE live_failed) AS live_failed,
    count(*) FILTER (WHERE candidate_failed) AS candidate_failed,
    count(*) FILTER (WHERE candidate_failed AND NOT live_failed) AS only_candidate_failed,
    count(*) FILTER (WHERE live_failed AND NOT candidate_failed) AS only_live_failed,
    count(live_seconds + candidate_seconds) AS timed,
    coalesce(avg(ln(candidate_seconds / live_seconds)), 0) AS log_ratio,
    coalesce(var_samp(ln(candidate_seconds / live_seconds)), 0) AS log_ratio_variance,
    percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY live_seconds)
        FILTER (WHERE candidate_seconds IS NOT NULL) AS live_seconds,
    percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY candidate_seconds)
        FILTER (WHERE live_seconds IS NOT NULL) AS candidate_seconds
FROM compared_requests WHERE run_id = %(run_id)s

-- name: sampling_figures
SELECT coalesce(sum(seen), 0)::bigint AS seen, coalesce(sum(sampled), 0)::bigint AS sampled,
    coalesce(sum(dropped), 0)::bigint AS dropped
FROM sampled_requests WHERE run_id = %(run_id)s

-- name: canary_figures
SELECT count(*) AS users, count(*) FILTER (WHERE canary) AS canary FROM canary_users WHERE run_id = %(run_id)s

-- name: feedback_after
-- What users said of songs after both versions had answered them, each with the latest answers before it; of a user who
-- is known, to answers that the same user had.
SELECT DISTINCT ON (feedback.feedback_id)
    feedback.verdict, feedback.playlist_id, compared.live_list, compared.candidate_list, compared.shown,
    compared.shown_by_candidate
FROM feedback
JOIN compared_songs AS compared ON compared.run_id = %(run_id)s AND compared.song_id = feedback.song_id
    AND compared.at < feedback.at AND (compared.user_name IS NULL OR compared.user_name = feedback.user_name)
ORDER BY feedback.feedback_id, compared.at DESC

-- name: feedback_during
-- What users said while a run was on.
SELECT feedback.user_name, feedback.verdict FROM feedback JOIN parallel_runs AS run ON run.run_id = %(run_id)s
WHERE feedback.at >= run.started_at AND feedback.at <= coalesce(run.ended_at, 'infinity')
