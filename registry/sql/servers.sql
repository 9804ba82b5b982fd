-- Heartbeats of servers: what each answers with. Ages are told by the database's clock alone.

-- name: beat
INSERT INTO servers (server, version, generation, warm, problem)
VALUES (%(server)s, %(version)s, %(generation)s, %(warm)s, %(problem)s)
ON CONFLICT (server) DO UPDATE
SET version = excluded.version, generation = excluded.generation, warm = excluded.warm, problem = excluded.problem,
    seen_at = clock_timestamp()

-- name: delete_old
DELETE FROM servers WHERE seen_at < clock_timestamp() - interval '1 hour'

-- name: forget
DELETE FROM servers WHERE server = %(server)s

-- name: list_alive
SELECT server, version, generation, warm, problem, started_at, seen_at, clock_timestamp() - seen_at AS age FROM servers
WHERE seen_at > clock_timestamp() - %(alive)s ORDER BY server
