-- Re-embedding by many workers at once, noticing changes, and keeping versions that something needs.

-- How a version's vectors are computed and searched: settled once, by measurement, when they are first made.
-- `precision` is what songs are embedded in; `ef_search` is how far a search of the index looks for songs like a song,
-- `text_ef_search` for songs that fit a text, which lies farther from all of them.
ALTER TABLE vector_sets
    ADD COLUMN precision text,
    ADD COLUMN ef_search integer,
    ADD COLUMN text_ef_search integer,
    ADD CONSTRAINT vector_sets_precision_known CHECK (precision IN ('fp32', 'bf16', 'fp16')),
    ADD CONSTRAINT vector_sets_ef_search_in_range
        CHECK (ef_search BETWEEN 1 AND 1000 AND text_ef_search BETWEEN 1 AND 1000);

-- Sharing the work. A worker is one process; its row is its sign of life. A claim is a range of ids, beyond `after_id` up
-- to `last_id`, that one worker embeds; without a worker it is anybody's. `position` is how far the claims of a round go.
CREATE TABLE embedding_rounds (
    version  text NOT NULL REFERENCES vector_sets ON DELETE CASCADE,
    kind     text NOT NULL,
    position text NOT NULL DEFAULT '',
    PRIMARY KEY (version, kind),
    CONSTRAINT embedding_rounds_kind_known CHECK (kind IN ('songs', 'playlists'))
);
CREATE TABLE embedding_workers (
    worker      text PRIMARY KEY,
    version     text NOT NULL REFERENCES vector_sets ON DELETE CASCADE,
    machine     text NOT NULL,
    process     integer NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT now(),
    seen_at     timestamptz NOT NULL DEFAULT now(),
    embedded    bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0
);
CREATE TABLE embedding_claims (
    claim_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version  text NOT NULL REFERENCES vector_sets ON DELETE CASCADE,
    kind     text NOT NULL,
    after_id text NOT NULL,
    last_id  text NOT NULL,
    worker   text REFERENCES embedding_workers ON DELETE SET NULL,
    CONSTRAINT embedding_claims_kind_known CHECK (kind IN ('songs', 'playlists', 'finish'))
);
CREATE INDEX embedding_claims_version ON embedding_claims (version, kind);
CREATE INDEX embedding_claims_worker ON embedding_claims (worker);
CREATE UNIQUE INDEX embedding_claims_one_finish ON embedding_claims (version) WHERE kind = 'finish';

-- Whoever waits for changes listens to the channel, or, where a pooler keeps notifications back, looks at the counter. It
-- grows before the change can be seen: `changes.py` says how that is borne in mind.
CREATE SEQUENCE catalogue_changes;
CREATE FUNCTION catalogue_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM nextval('catalogue_changes');
    PERFORM pg_notify('autosort_catalogue', '');
    RETURN NULL;
END $$;
CREATE TRIGGER songs_noticed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON songs
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER playlists_noticed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON playlists
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();
CREATE TRIGGER memberships_noticed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON memberships
    FOR EACH STATEMENT EXECUTE FUNCTION catalogue_changed();

-- What searches filter by.
CREATE INDEX songs_genre ON songs (lower(genre));
CREATE INDEX songs_language ON songs (lower(language));
CREATE INDEX playlists_genre ON playlists (lower(genre));
CREATE INDEX playlists_owner ON playlists (lower(owner));

-- Keeping versions. A pinned one is not retired; nor is one that a server answers with.
CREATE TABLE pins (
    version   text PRIMARY KEY REFERENCES model_versions,
    actor     text NOT NULL,
    reason    text NOT NULL,
    pinned_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE servers (
    server     text PRIMARY KEY,
    version    text REFERENCES model_versions,
    generation bigint,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE audit_log DROP CONSTRAINT audit_log_action_known;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_action_known
    CHECK (action IN ('register', 'promote', 'rollback', 'retire', 'reject', 'publish', 'pin', 'unpin'));
