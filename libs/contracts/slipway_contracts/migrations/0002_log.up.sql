-- The attempts log: what retention goes by. Gateways of before need none of it and fill it too.

-- A trigger and not the gateways' statements, so that an old gateway's segments are dated as well.
ALTER TABLE log_offsets ADD COLUMN at timestamptz NOT NULL DEFAULT clock_timestamp();
CREATE FUNCTION date_log_offset() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.at := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER log_offsets_dated BEFORE UPDATE ON log_offsets
    FOR EACH ROW EXECUTE FUNCTION date_log_offset();

CREATE INDEX overdue_by_time ON overdue_events ("timestamp");
CREATE INDEX feedback_by_time ON feedback (at);
