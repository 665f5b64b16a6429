-- Batches end when their time is over; files may be large; answers from the cache are in the log.

ALTER TABLE batches ADD COLUMN expired_at timestamptz;
ALTER TABLE batches DROP CONSTRAINT batches_status_check;
ALTER TABLE batches ADD CONSTRAINT batches_status_check CHECK (status IN
    ('validating', 'failed', 'in_progress', 'finalizing', 'completed', 'cancelling', 'cancelled',
    'expired'));
CREATE INDEX batches_by_expiry ON batches (expires_at)
    WHERE status IN ('validating', 'in_progress');

-- A file over one chunk is in chunks, and its content is null. They come before its row, while it
-- is uploaded, so they do not refer to it; what an upload that broke off left is pruned by age.
CREATE TABLE file_chunks (
    file_id text NOT NULL,
    number integer NOT NULL,
    content bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (file_id, number)
);
CREATE INDEX file_chunks_by_age ON file_chunks (at);
ALTER TABLE file_chunks ALTER COLUMN content SET STORAGE EXTERNAL;
ALTER TABLE files ALTER COLUMN content DROP NOT NULL;
