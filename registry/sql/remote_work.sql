-- Work that is done on machines far away.

-- name: ask
INSERT INTO remote_work (kind, key, request, actor) VALUES (%(kind)s, %(key)s, %(request)s, %(actor)s)
ON CONFLICT (kind, key) WHERE state IN ('queued', 'running') DO UPDATE SET changed_at = clock_timestamp()
RETURNING *

-- name: began
-- A call was begun, or one that nobody knows any more is forgotten.
UPDATE remote_work SET state = 'running', call_id = %(call_id)s, reason = NULL, changed_at = clock_timestamp()
WHERE work_id = %(work_id)s AND state IN ('queued', 'running')
RETURNING *

-- name: put_off
-- It could not be asked for, or asked about: later again, each time after twice as long, an hour at most.
UPDATE remote_work SET
    state = CASE WHEN call_id IS NULL THEN 'queued' ELSE 'running' END, attempts = attempts + 1, reason = %(reason)s,
    due_at = clock_timestamp() + least(interval '1 hour', interval '15 seconds' * power(2, least(attempts, 12))),
    changed_at = clock_timestamp()
WHERE work_id = %(work_id)s AND state IN ('queued', 'running')
RETURNING *

-- name: close
UPDATE remote_work SET state = %(state)s, reason = %(reason)s, changed_at = clock_timestamp()
WHERE work_id = %(work_id)s AND state IN ('queued', 'running')
RETURNING *

-- name: list_open
SELECT * FROM remote_work WHERE state IN ('queued', 'running') ORDER BY work_id

-- name: list_due
-- What was put off and waits no longer; work that somebody is at was not put off.
SELECT * FROM remote_work WHERE state IN ('queued', 'running') AND attempts > 0 AND due_at <= clock_timestamp()
ORDER BY work_id
