-- What versions' emotion models say of songs, for versions that match by emotions.

-- Scores belong to the model, not to the version: versions with the same model share them. They are current as long as the
-- song's text is the one they were made of. Null scores: the model cannot read that text, and is not asked again.
CREATE TABLE emotion_scores (
    song_id       text NOT NULL REFERENCES songs ON DELETE CASCADE,
    artifact      text NOT NULL,
    text_template smallint NOT NULL,
    content_hash  bytea NOT NULL,
    scores        real[],
    PRIMARY KEY (song_id, artifact, text_template),
    CONSTRAINT emotion_scores_hash_is_sha256 CHECK (octet_length(content_hash) = 32),
    CONSTRAINT emotion_scores_whole CHECK (array_position(scores, NULL) IS NULL)
);
CREATE INDEX emotion_scores_artifact ON emotion_scores (artifact);

-- Scoring is shared among workers as embedding is.
ALTER TABLE embedding_rounds DROP CONSTRAINT embedding_rounds_kind_known;
ALTER TABLE embedding_rounds ADD CONSTRAINT embedding_rounds_kind_known
    CHECK (kind IN ('songs', 'emotions', 'playlists'));
ALTER TABLE embedding_claims DROP CONSTRAINT embedding_claims_kind_known;
ALTER TABLE embedding_claims ADD CONSTRAINT embedding_claims_kind_known
    CHECK (kind IN ('songs', 'emotions', 'playlists', 'finish'));
