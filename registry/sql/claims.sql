-- Sharing the embedding of one version among workers. Times are the database's own: machines' clocks may differ.

-- name: open_round
INSERT INTO embedding_rounds (version, kind) VALUES (%(version)s, %(kind)s) ON CONFLICT DO NOTHING

-- name: lock_round
-- Claims of one version are taken one after the other, each in milliseconds.
SELECT position FROM embedding_rounds WHERE version = %(version)s AND kind = %(kind)s FOR UPDATE

-- name: begin_round
-- From the beginning, unless somebody is at it.
UPDATE embedding_rounds SET position = '' WHERE version = %(version)s AND kind = %(kind)s AND NOT EXISTS (
    SELECT FROM embedding_claims AS claim WHERE claim.version = %(version)s AND claim.kind = %(kind)s
)

-- name: advance_round
UPDATE embedding_rounds SET position = %(position)s WHERE version = %(version)s AND kind = %(kind)s

-- name: hold_stage
-- Whoever joins and whoever gives the version up wait for one another.
SELECT stage FROM model_versions WHERE version = %(version)s FOR SHARE

-- name: beat
INSERT INTO embedding_workers (worker, version, machine, process, embedded, quarantined)
VALUES (%(worker)s, %(version)s, %(machine)s, %(process)s, %(embedded)s, %(quarantined)s)
ON CONFLICT (worker) DO UPDATE
SET seen_at = now(), embedded = excluded.embedded, quarantined = excluded.quarantined

-- name: appear
INSERT INTO embedding_workers (worker, version, machine, process)
VALUES (%(worker)s, %(version)s, %(machine)s, %(process)s)
ON CONFLICT (worker) DO UPDATE SET seen_at = now()

-- name: forget_silent
-- Workers without a sign of life; their claims become anybody's.
DELETE FROM embedding_workers
WHERE version = %(version)s AND worker <> %(worker)s AND seen_at < now() - %(lease)s * interval '1 second'

-- name: workers_here
SELECT worker, process FROM embedding_workers WHERE version = %(version)s AND machine = %(machine)s

-- name: forget
DELETE FROM embedding_workers WHERE worker = ANY (%(workers)s)

-- name: take_over
UPDATE embedding_claims SET worker = %(worker)s WHERE claim_id = (
    SELECT claim_id FROM embedding_claims WHERE version = %(version)s AND kind = %(kind)s AND worker IS NULL
    ORDER BY claim_id LIMIT 1 FOR UPDATE SKIP LOCKED
) RETURNING claim_id, kind, after_id, last_id

-- name: claim
INSERT INTO embedding_claims (version, kind, after_id, last_id, worker)
VALUES (%(version)s, %(kind)s, %(after_id)s, %(last_id)s, %(worker)s)
RETURNING claim_id, kind, after_id, last_id

-- name: claim_finish
-- One worker finishes a version; another only if that one has died. Asked again, because the answer was lost, it is had.
INSERT INTO embedding_claims AS known (version, kind, after_id, last_id, worker)
VALUES (%(version)s, 'finish', '', '', %(worker)s)
ON CONFLICT (version) WHERE kind = 'finish' DO UPDATE SET worker = excluded.worker
WHERE known.worker IS NULL OR known.worker = excluded.worker
RETURNING claim_id, kind, after_id, last_id

-- name: release
-- Only one's own: a claim whose worker was thought dead may be somebody else's by now.
DELETE FROM embedding_claims WHERE claim_id = ANY (%(claims)s) AND worker = %(worker)s

-- name: let_go
UPDATE embedding_claims SET worker = NULL
WHERE version = %(version)s AND kind = %(kind)s AND worker = %(worker)s

-- name: open_claims
SELECT count(*) AS claims FROM embedding_claims WHERE version = %(version)s AND kind = %(kind)s

-- name: list_workers
-- Who is at it, with what they have done since they began.
SELECT version, worker, embedded, quarantined, extract(epoch FROM now() - started_at)::float8 AS seconds
FROM embedding_workers WHERE seen_at > now() - %(lease)s * interval '1 second' ORDER BY started_at, worker
