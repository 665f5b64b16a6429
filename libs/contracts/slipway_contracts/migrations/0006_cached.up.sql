-- Answers from the gateway's cache are in the log: attempt 0, because no version was asked. They
-- count as requests, and beside the others as cached ones; never as attempts, never as evidence.
ALTER TABLE usage_deltas ADD COLUMN cached bigint NOT NULL DEFAULT 0;
ALTER TABLE usage_daily ADD COLUMN cached bigint NOT NULL DEFAULT 0;

CREATE OR REPLACE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (day, tenant, key_id, model, version, requests, cached, attempts,
        errors, prompt_tokens, completion_tokens)
    SELECT ("timestamp" AT TIME ZONE 'UTC')::date, tenant, key_id, model_name, version,
        count(*) FILTER (WHERE attempt <= 1), count(*) FILTER (WHERE attempt = 0),
        count(*) FILTER (WHERE attempt > 0), count(*) FILTER (WHERE error),
        coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    FROM fresh WHERE NOT shadow GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;
