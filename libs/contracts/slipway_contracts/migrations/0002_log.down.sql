-- The attempts log: what retention goes by.
DROP INDEX feedback_by_time, overdue_by_time;
DROP TRIGGER log_offsets_dated ON log_offsets;
DROP FUNCTION date_log_offset();
ALTER TABLE log_offsets DROP COLUMN at;
