-- Whole files again; an expired batch was cancelled.
UPDATE files SET content = coalesce((SELECT string_agg(c.content, ''::bytea ORDER BY number)
    FROM file_chunks c WHERE file_id = files.id), '') WHERE content IS NULL;
ALTER TABLE files ALTER COLUMN content SET NOT NULL;
DROP TABLE file_chunks;

UPDATE batches SET status = 'cancelled', cancelled_at = expired_at WHERE status = 'expired';
DROP INDEX batches_by_expiry;
ALTER TABLE batches DROP CONSTRAINT batches_status_check;
ALTER TABLE batches ADD CONSTRAINT batches_status_check CHECK (status IN
    ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'cancelling', 'cancelled'));
ALTER TABLE batches DROP COLUMN expired_at;
