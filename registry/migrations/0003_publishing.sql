-- Publishing a version on the Hugging Face Hub is an act that the audit log keeps.

ALTER TABLE audit_log
    DROP CONSTRAINT audit_log_action_known,
    ADD CONSTRAINT audit_log_action_known
        CHECK (action IN ('register', 'promote', 'rollback', 'retire', 'reject', 'publish'));
