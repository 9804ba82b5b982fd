-- name: lock_numbers
-- Two processes that register at once get two numbers, one after the other.
LOCK TABLE model_versions IN SHARE ROW EXCLUSIVE MODE

-- name: register
-- The next version and its audit row together.
WITH registered AS (
    INSERT INTO model_versions (version, spec, recipe)
    SELECT 'v' || coalesce(max(substr(version, 2)::int), 0) + 1, %(spec)s, %(recipe)s FROM model_versions
    RETURNING *
), audited AS (
    INSERT INTO audit_log (actor, action, version, generation)
    SELECT %(actor)s, 'register', registered.version, live_pointer.generation FROM registered, live_pointer
)
SELECT * FROM registered

-- name: get
SELECT * FROM model_versions WHERE version = %(version)s

-- name: find_recipe
SELECT * FROM model_versions WHERE recipe = %(recipe)s

-- name: list_all
SELECT * FROM model_versions ORDER BY substr(version, 2)::int

-- name: lock_stage
SELECT stage FROM model_versions WHERE version = %(version)s FOR UPDATE

-- name: set_stage
UPDATE model_versions SET stage = %(stage)s WHERE version = %(version)s

-- name: save_evaluation
INSERT INTO evaluations (version, dataset, report, outcomes)
VALUES (%(version)s, %(dataset)s, %(report)s, %(outcomes)s)
ON CONFLICT (version, dataset) DO UPDATE
SET report = excluded.report, outcomes = excluded.outcomes, evaluated_at = now()

-- name: find_evaluation
SELECT report FROM evaluations WHERE version = %(version)s AND dataset = %(dataset)s

-- name: find_outcomes
SELECT outcomes FROM evaluations WHERE version = %(version)s AND dataset = %(dataset)s

-- name: list_evaluations
SELECT dataset, report FROM evaluations WHERE version = %(version)s ORDER BY evaluated_at DESC, dataset
