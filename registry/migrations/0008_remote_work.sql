-- Work that is done on machines far away: what was asked, where it is found again, and what waits to be asked again.

-- Of the same work (kind and key) at most one row is open, so that whoever asks again comes to what was asked before.
CREATE TABLE remote_work (
    work_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    key        text NOT NULL,
    request    jsonb NOT NULL,
    state      text NOT NULL DEFAULT 'queued',
    call_id    text,
    attempts   integer NOT NULL DEFAULT 0,
    due_at     timestamptz NOT NULL DEFAULT now(),
    reason     text,
    actor      text NOT NULL,
    asked_at   timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT remote_work_kind_known CHECK (kind IN ('training', 'reembedding')),
    CONSTRAINT remote_work_state_known CHECK (state IN ('queued', 'running', 'done', 'failed')),
    CONSTRAINT remote_work_attempts CHECK (attempts >= 0)
);
CREATE UNIQUE INDEX remote_work_open ON remote_work (kind, key) WHERE state IN ('queued', 'running');
CREATE INDEX remote_work_due ON remote_work (due_at) WHERE state IN ('queued', 'running');
