-- The spine: catalogue, model versions, live pointer, audit log, and the books kept on each version's vectors.

CREATE EXTENSION IF NOT EXISTS vector;

-- Catalogue ----------------------------------------------------------------------------------------------------------

CREATE TABLE songs (
    song_id          text PRIMARY KEY,
    title            text NOT NULL,
    artist           text,
    album            text,
    isrc             text,
    genre            text,
    language         text,
    description      text,
    release_date     text,
    duration_ms      integer,
    popularity       smallint,
    danceability     real,
    energy           real,
    key              real,
    loudness         real,
    mode             real,
    speechiness      real,
    acousticness     real,
    instrumentalness real,
    liveness         real,
    valence          real,
    tempo            real,
    time_signature   real,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT songs_id_not_blank CHECK (song_id <> ''),
    CONSTRAINT songs_title_not_blank CHECK (title <> ''),
    CONSTRAINT songs_shares_in_range CHECK (
        danceability BETWEEN 0 AND 1 AND energy BETWEEN 0 AND 1 AND speechiness BETWEEN 0 AND 1
        AND acousticness BETWEEN 0 AND 1 AND instrumentalness BETWEEN 0 AND 1 AND liveness BETWEEN 0 AND 1
        AND valence BETWEEN 0 AND 1 AND tempo > 0
    )
);

-- A song's rendered text by template. A missing row means "render it again": the trigger below takes it away whenever
-- the song changes, so a song changed by any program, this one or another, is embedded again.
CREATE TABLE song_texts (
    template     smallint NOT NULL,
    song_id      text NOT NULL REFERENCES songs ON DELETE CASCADE,
    content_hash bytea NOT NULL,
    PRIMARY KEY (template, song_id),
    CONSTRAINT song_texts_hash_is_sha256 CHECK (octet_length(content_hash) = 32)
);
CREATE INDEX song_texts_song ON song_texts (song_id);

-- `revision` grows whenever the playlist, its members or one of its songs changes: a profile is current if it was built
-- from the present revision.
CREATE TABLE playlists (
    playlist_id text PRIMARY KEY,
    name        text NOT NULL,
    description text,
    genre       text,
    subgenre    text,
    owner       text,
    revision    bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT playlists_id_not_blank CHECK (playlist_id <> ''),
    CONSTRAINT playlists_name_not_blank CHECK (name <> '')
);

CREATE TABLE memberships (
    playlist_id text NOT NULL REFERENCES playlists ON DELETE CASCADE,
    song_id     text NOT NULL REFERENCES songs ON DELETE CASCADE,
    source      text NOT NULL,
    added_at    timestamptz,
    PRIMARY KEY (playlist_id, song_id),
    CONSTRAINT memberships_source_known CHECK (source IN ('curated', 'assigned', 'manual', 'public'))
);
CREATE INDEX memberships_song ON memberships (song_id);

CREATE TABLE feedback (
    feedback_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_name        text NOT NULL,
    song_id          text NOT NULL REFERENCES songs ON DELETE CASCADE,
    playlist_id      text NOT NULL REFERENCES playlists ON DELETE CASCADE,
    verdict          text NOT NULL,
    from_playlist_id text REFERENCES playlists ON DELETE CASCADE,
    at               timestamptz NOT NULL,
    CONSTRAINT feedback_verdict_known CHECK (verdict IN ('accept', 'reject', 'move')),
    CONSTRAINT feedback_moves_come_from_somewhere CHECK ((verdict = 'move') = (from_playlist_id IS NOT NULL)),
    CONSTRAINT feedback_said_once UNIQUE (user_name, song_id, playlist_id, verdict, at)
);
CREATE INDEX feedback_song ON feedback (song_id);
CREATE INDEX feedback_playlist ON feedback (playlist_id);
CREATE INDEX feedback_from_playlist ON feedback (from_playlist_id);

CREATE FUNCTION song_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM song_texts WHERE song_id IN (SELECT song_id FROM changed);
    UPDATE playlists SET revision = revision + 1
    WHERE playlist_id IN (SELECT playlist_id FROM memberships JOIN changed USING (song_id));
    RETURN NULL;
END $$;
CREATE TRIGGER song_changed AFTER UPDATE ON songs
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION song_changed();

CREATE FUNCTION members_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE playlists SET revision = revision + 1 WHERE playlist_id IN (SELECT playlist_id FROM changed);
    RETURN NULL;
END $$;
CREATE TRIGGER members_added AFTER INSERT ON memberships
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();
CREATE TRIGGER members_removed AFTER DELETE ON memberships
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();

-- A membership that is given another playlist or song changes the playlist it leaves and the one it enters; another
-- source or date changes neither.
CREATE FUNCTION members_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE playlists SET revision = revision + 1 WHERE playlist_id IN (
        SELECT playlist_id FROM (
            (SELECT playlist_id, song_id FROM before EXCEPT SELECT playlist_id, song_id FROM after)
            UNION ALL
            (SELECT playlist_id, song_id FROM after EXCEPT SELECT playlist_id, song_id FROM before)
        ) AS moved
    );
    RETURN NULL;
END $$;
CREATE TRIGGER members_moved AFTER UPDATE ON memberships
    REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION members_moved();

CREATE FUNCTION playlist_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := OLD.revision + 1;
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER playlist_changed BEFORE UPDATE OF name, description, genre, subgenre, owner ON playlists
    FOR EACH ROW EXECUTE FUNCTION playlist_changed();

-- Versions -----------------------------------------------------------------------------------------------------------

CREATE TABLE model_versions (
    version       text PRIMARY KEY,
    stage         text NOT NULL DEFAULT 'registered',
    spec          jsonb NOT NULL,
    recipe        text,
    registered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_versions_name CHECK (version ~ '^v[1-9][0-9]{0,8}$'),
    CONSTRAINT model_versions_stage_known CHECK (
        stage IN ('registered', 'embedding', 'ready', 'live', 'retained', 'retired', 'rejected')
    ),
    CONSTRAINT model_versions_recipe_once UNIQUE (recipe)
);
CREATE UNIQUE INDEX model_versions_one_live ON model_versions (stage) WHERE stage = 'live';

-- Refuse whatever fires it. Its argument is the name of the broken rule, as of a constraint.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% never change once written', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_ARGV[0];
END $$;
CREATE TRIGGER model_versions_immutable BEFORE UPDATE OF version, spec, recipe, registered_at ON model_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change('model_versions_immutable');
CREATE TRIGGER model_versions_kept BEFORE DELETE ON model_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change('model_versions_kept');
CREATE TRIGGER model_versions_kept_whole BEFORE TRUNCATE ON model_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('model_versions_kept');

CREATE TABLE evaluations (
    version      text NOT NULL REFERENCES model_versions,
    dataset      text NOT NULL,
    report       jsonb NOT NULL,
    evaluated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, dataset)
);

CREATE TABLE live_pointer (
    only_row         boolean PRIMARY KEY DEFAULT true,
    generation       bigint NOT NULL DEFAULT 0,
    live_version     text REFERENCES model_versions,
    previous_version text REFERENCES model_versions,
    candidate        text REFERENCES model_versions,
    moved_at         timestamptz,
    CONSTRAINT live_pointer_only_row CHECK (only_row),
    CONSTRAINT live_pointer_moves_forward CHECK (generation >= 0),
    CONSTRAINT live_pointer_versions_differ CHECK (live_version <> previous_version)
);
INSERT INTO live_pointer DEFAULT VALUES;

CREATE TABLE audit_log (
    audit_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    actor        text NOT NULL,
    action       text NOT NULL,
    version      text NOT NULL REFERENCES model_versions,
    from_version text REFERENCES model_versions,
    generation   bigint NOT NULL,
    reason       text,
    evidence     jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT audit_log_action_known CHECK (action IN ('register', 'promote', 'rollback', 'retire', 'reject'))
);
CREATE TRIGGER audit_log_immutable BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change('audit_log_immutable');
CREATE TRIGGER audit_log_kept_whole BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('audit_log_immutable');

-- Vectors ------------------------------------------------------------------------------------------------------------

-- The tables of the vectors themselves are made by version (vectors.sql); this keeps the books on them.
-- `attached_at` is when the version became visible; `profiles_revision` grows whenever a playlist profile is written,
-- so that a server knows when to read them again.
CREATE TABLE vector_sets (
    version           text PRIMARY KEY REFERENCES model_versions,
    dimensions        integer NOT NULL,
    attached_at       timestamptz,
    index_recall      real,
    profiles_revision bigint NOT NULL DEFAULT 0,
    CONSTRAINT vector_sets_dimensions CHECK (dimensions BETWEEN 1 AND 4000)
);

CREATE TABLE quarantine (
    version      text NOT NULL REFERENCES model_versions,
    song_id      text NOT NULL REFERENCES songs ON DELETE CASCADE,
    content_hash bytea NOT NULL,
    reason       text NOT NULL,
    since        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version, song_id)
);
CREATE INDEX quarantine_song ON quarantine (song_id);
