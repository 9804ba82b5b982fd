-- What came of each query of an evaluation, so that two versions are compared query by query; and what was spent.

ALTER TABLE evaluations ADD COLUMN outcomes jsonb NOT NULL DEFAULT '{}';

-- A row is written when work begins and settled once, when it ends. One that was never settled (its process was killed)
-- counts at its estimate: what is not known to be cheaper is not spent a second time.
CREATE TABLE spending (
    spending_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT now(),
    actor       text NOT NULL,
    work        text NOT NULL,
    version     text REFERENCES model_versions,
    estimate    double precision NOT NULL,
    seconds     double precision,
    dollars     double precision,
    reason      text,
    details     jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT spending_work_known CHECK (work IN ('training', 'reembedding')),
    CONSTRAINT spending_not_negative CHECK (estimate >= 0 AND seconds >= 0 AND dollars >= 0),
    CONSTRAINT spending_settled_whole CHECK ((seconds IS NULL) = (dollars IS NULL))
);
CREATE INDEX spending_at ON spending (at);
CREATE TRIGGER spending_settled_once BEFORE UPDATE ON spending
    FOR EACH ROW WHEN (old.dollars IS NOT NULL) EXECUTE FUNCTION refuse_change('spending_kept');
CREATE TRIGGER spending_kept BEFORE DELETE ON spending
    FOR EACH ROW EXECUTE FUNCTION refuse_change('spending_kept');
CREATE TRIGGER spending_kept_whole BEFORE TRUNCATE ON spending
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('spending_kept');
