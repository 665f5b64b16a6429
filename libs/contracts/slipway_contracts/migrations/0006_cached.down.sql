-- Releases of before would take an answer from the cache for an attempt. What was used stays.
DELETE FROM request_logs WHERE attempt = 0;

CREATE OR REPLACE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (day, tenant, key_id, model, version, requests, attempts, errors,
        prompt_tokens, completion_tokens)
    SELECT ("timestamp" AT TIME ZONE 'UTC')::date, tenant, key_id, model_name, version,
        count(*) FILTER (WHERE attempt = 1), count(*), count(*) FILTER (WHERE error),
        coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    FROM fresh WHERE NOT shadow GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;
ALTER TABLE usage_deltas DROP COLUMN cached;
ALTER TABLE usage_daily DROP COLUMN cached;
