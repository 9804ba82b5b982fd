-- name: lock
-- Of two that ask for money at once, the second sees what the first was allowed.
LOCK TABLE spending IN SHARE ROW EXCLUSIVE MODE

-- name: begin
INSERT INTO spending (actor, work, version, estimate, reason, details)
VALUES (%(actor)s, %(work)s, %(version)s, %(estimate)s, %(reason)s, %(details)s)
RETURNING *

-- name: settle
UPDATE spending SET
    seconds = %(seconds)s, dollars = %(dollars)s, version = coalesce(%(version)s, version), details = details || %(details)s
WHERE spending_id = %(spending_id)s
RETURNING *

-- name: month_total
-- What was spent since this month began, by UTC; work that was never settled counts at its estimate.
SELECT coalesce(sum(coalesce(dollars, estimate)), 0) AS dollars FROM spending
WHERE at >= date_trunc('month', now(), 'UTC')

-- name: list_month
SELECT * FROM spending WHERE at >= date_trunc('month', now(), 'UTC') ORDER BY spending_id DESC
