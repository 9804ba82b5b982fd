-- Which emotions are predicted of texts: what their rates are told by, and whether they drift.

-- By the hour. `texts` were scored, `held` of them reached the label's threshold; `score` is the sum of all their scores.
CREATE TABLE predicted_emotions (
    hour    timestamptz NOT NULL,
    version text NOT NULL REFERENCES model_versions,
    label   text NOT NULL,
    texts   bigint NOT NULL,
    held    bigint NOT NULL,
    score   double precision NOT NULL,
    PRIMARY KEY (version, hour, label),
    CONSTRAINT predicted_emotions_of_texts CHECK (held BETWEEN 0 AND texts)
);
CREATE INDEX predicted_emotions_hour ON predicted_emotions (hour);
