-- What servers have served, by minute, version and time taken.

-- name: add
INSERT INTO served_requests (minute, generation, version, endpoint, bucket, requests, failed)
SELECT date_trunc('minute', clock_timestamp()), * FROM unnest(
    %(generation)s::bigint[], %(version)s::text[], %(endpoint)s::text[], %(bucket)s::smallint[], %(requests)s::bigint[],
    %(failed)s::bigint[]
)
ON CONFLICT (generation, version, minute, endpoint, bucket) DO UPDATE SET
    requests = served_requests.requests + excluded.requests, failed = served_requests.failed + excluded.failed

-- name: delete_old
DELETE FROM served_requests WHERE minute < clock_timestamp() - interval '30 days'

-- name: read
-- What a version served at one generation, from a moment on or all of it.
SELECT endpoint, bucket, sum(requests)::bigint AS requests, sum(failed)::bigint AS failed FROM served_requests
WHERE generation = %(generation)s AND version = %(version)s
    AND (%(since)s::timestamptz IS NULL OR minute >= date_trunc('minute', %(since)s::timestamptz))
GROUP BY endpoint, bucket ORDER BY endpoint, bucket
