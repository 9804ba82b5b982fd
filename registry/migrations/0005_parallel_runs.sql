-- Old and new version side by side on live requests, what each served, and where every server stands.

-- A parallel run compares a candidate with the version that is live: on a sample of live requests, or on songs that were
-- replayed. A move of the pointer ends it.
CREATE TABLE parallel_runs (
    run_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    candidate  text NOT NULL REFERENCES model_versions,
    live       text NOT NULL REFERENCES model_versions,
    generation bigint NOT NULL,
    sample     double precision NOT NULL,
    canary     double precision NOT NULL,
    actor      text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    CONSTRAINT parallel_runs_kind_known CHECK (kind IN ('live', 'replay')),
    CONSTRAINT parallel_runs_two_versions CHECK (candidate <> live),
    CONSTRAINT parallel_runs_shares CHECK (sample BETWEEN 0 AND 1 AND canary BETWEEN 0 AND 1)
);
CREATE UNIQUE INDEX parallel_runs_one_open ON parallel_runs (kind) WHERE kind = 'live' AND ended_at IS NULL;
CREATE INDEX parallel_runs_candidate ON parallel_runs (candidate, live);

-- A request that both versions answered: how long each took, in seconds, and whether it failed.
CREATE TABLE compared_requests (
    run_id            bigint NOT NULL REFERENCES parallel_runs ON DELETE CASCADE,
    at                timestamptz NOT NULL,
    live_seconds      double precision,
    candidate_seconds double precision,
    live_failed       boolean NOT NULL,
    candidate_failed  boolean NOT NULL
);
CREATE INDEX compared_requests_run ON compared_requests (run_id);

-- Its songs, each with the playlists that either version answered, best first. `song_id` is null for a song that was told
-- and is not in the catalogue; `shown` is what an interleaved answer showed, and by whom each was put there.
CREATE TABLE compared_songs (
    run_id              bigint NOT NULL REFERENCES parallel_runs ON DELETE CASCADE,
    at                  timestamptz NOT NULL,
    song_id             text,
    user_name           text,
    genre               text,
    playlist_type       text,
    live_list           text[] NOT NULL,
    candidate_list      text[] NOT NULL,
    overlap             double precision NOT NULL,
    rank_biased_overlap double precision NOT NULL,
    first_changed       boolean NOT NULL,
    shown               text[],
    shown_by_candidate  boolean[]
);
CREATE INDEX compared_songs_run ON compared_songs (run_id, song_id);

-- What each server did with the requests that it saw: `sampled` were chosen, of which some were dropped under load.
CREATE TABLE sampled_requests (
    run_id  bigint NOT NULL REFERENCES parallel_runs ON DELETE CASCADE,
    server  text NOT NULL,
    seen    bigint NOT NULL,
    sampled bigint NOT NULL,
    dropped bigint NOT NULL,
    PRIMARY KEY (run_id, server)
);

-- Who was answered by the candidate for real, and who was not, by a hash of the user: to see that the shares are right.
CREATE TABLE canary_users (
    run_id   bigint NOT NULL REFERENCES parallel_runs ON DELETE CASCADE,
    user_key bytea NOT NULL,
    canary   boolean NOT NULL,
    PRIMARY KEY (run_id, user_key)
);

-- Requests served, by minute. `bucket` is the logarithm of how long they took: traffic.py gives the scale.
CREATE TABLE served_requests (
    minute     timestamptz NOT NULL,
    generation bigint NOT NULL,
    version    text NOT NULL REFERENCES model_versions,
    endpoint   text NOT NULL,
    bucket     smallint NOT NULL,
    requests   bigint NOT NULL,
    failed     bigint NOT NULL,
    PRIMARY KEY (generation, version, minute, endpoint, bucket)
);
CREATE INDEX served_requests_minute ON served_requests (minute);

-- `warm`: versions that a server holds in memory, ready to answer; `problem`: why it does not follow the pointer.
ALTER TABLE servers
    ADD COLUMN warm text[] NOT NULL DEFAULT '{}',
    ADD COLUMN problem text;

-- A version that a promotion waits for servers to hold, so that they load it before it goes live.
ALTER TABLE live_pointer ADD COLUMN preparing text REFERENCES model_versions;

-- The log tells the moment of an act, not that of its transaction's beginning: a gate may take its time in between.
ALTER TABLE audit_log ALTER COLUMN at SET DEFAULT clock_timestamp();
ALTER TABLE audit_log DROP CONSTRAINT audit_log_action_known;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_action_known CHECK (action IN (
    'register', 'promote', 'rollback', 'retire', 'reject', 'publish', 'pin', 'unpin', 'compare', 'compare_end'
));
