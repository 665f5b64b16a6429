-- Tenants, keys with scopes, quotas and usage.
-- Old gateways read api_keys with SELECT *, so what is new about a key is in a table beside it.

CREATE TABLE tenants (
    name text PRIMARY KEY,
    priority integer NOT NULL DEFAULT 0,
    weight double precision NOT NULL DEFAULT 1 CHECK (weight > 0),
    text_policy text CHECK (text_policy IN ('full', 'hashed', 'none')),
    limits jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE key_settings (
    key_id text PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    tenant text NOT NULL,
    endpoints text[] NOT NULL DEFAULT '{}',
    limits jsonb NOT NULL DEFAULT '{}',
    priority integer,
    retired_hash text,
    retired_until timestamptz,
    last_used date
);
CREATE INDEX key_settings_by_tenant ON key_settings (tenant);

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    request_id text NOT NULL DEFAULT '',
    before jsonb,
    after jsonb
);
CREATE INDEX audit_log_by_target ON audit_log (target, id);

-- used: leased to gateways or spent. Concurrency has the one window 0.
CREATE TABLE quota_windows (
    scope text NOT NULL,
    quota text NOT NULL,
    window_no bigint NOT NULL,
    used bigint NOT NULL DEFAULT 0,
    touched timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (scope, quota, window_no)
);
CREATE INDEX quota_windows_touched ON quota_windows (touched);

-- What outlives a minute is held by name: it comes back when its gateway dies.
CREATE TABLE quota_leases (
    scope text NOT NULL,
    quota text NOT NULL,
    window_no bigint NOT NULL,
    gateway text NOT NULL,
    held bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (scope, quota, window_no, gateway)
);

-- A fair part of what is free: all of it for a gateway that is alone, else half of an equal share.
CREATE FUNCTION quota_share(free bigint, peers bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN peers = 1 THEN greatest(0, free)
        ELSE greatest(0, (free + 2 * peers - 1) / (2 * peers)) END
$$;

-- Books charges and grants chunks for one gateway (slipway_store/quotas.py says what they mean).
CREATE FUNCTION settle_quotas(
    who text, lease_seconds double precision, scopes text[], quotas text[], windows bigint[],
    limits bigint[], charges bigint[], helds bigint[], needs bigint[], wants bigint[]
) RETURNS TABLE (scope text, quota text, window_no bigint, granted bigint, free bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    wish record; peers bigint; taken bigint; back bigint; mine bigint; over bigint; part bigint;
BEGIN
    SELECT greatest(1, count(*)) INTO peers FROM gateways
        WHERE at > clock_timestamp() - interval '10 s';
    -- One order for everybody: gateways wait for each other, and never in a circle.
    FOR wish IN SELECT * FROM unnest(scopes, quotas, windows, limits, charges, helds, needs, wants)
        AS t (scope, quota, no, allowed, charge, held, need, want) ORDER BY 1, 2, 3
    LOOP
        INSERT INTO quota_windows AS w (scope, quota, window_no)
            VALUES (wish.scope, wish.quota, wish.no)
            ON CONFLICT (scope, quota, window_no) DO UPDATE SET touched = clock_timestamp()
            RETURNING w.used INTO taken;
        mine := 0;
        IF wish.quota IN ('tokens_per_day', 'concurrency') THEN
            WITH gone AS (
                DELETE FROM quota_leases AS l WHERE l.scope = wish.scope AND l.quota = wish.quota
                    AND l.window_no = wish.no AND l.gateway <> who
                    AND l.expires_at < clock_timestamp() RETURNING l.held)
            SELECT coalesce(sum(held), 0) INTO back FROM gone;
            taken := greatest(0, taken - back);
        END IF;
        IF wish.quota = 'concurrency' THEN
            SELECT coalesce(sum(l.held), 0) INTO mine FROM quota_leases AS l
                WHERE l.scope = wish.scope AND l.quota = wish.quota AND l.window_no = wish.no
                    AND l.gateway = who;
            taken := greatest(0, taken - mine) + wish.held;
            part := greatest(0, least(
                greatest(wish.want - wish.held, wish.need),
                quota_share(wish.allowed - taken, peers)));
            taken := taken + part;
            part := part + wish.held;
            mine := part;
        ELSE
            taken := greatest(0, taken + wish.charge);
            over := least(taken - wish.allowed, wish.charge);
            IF over > 0 THEN
                -- A window's worth at most: an engine that lies must not shut a tenant out for ever.
                INSERT INTO quota_windows AS w (scope, quota, window_no, used)
                    VALUES (wish.scope, wish.quota, wish.no + 1, least(over, wish.allowed))
                    ON CONFLICT (scope, quota, window_no)
                    DO UPDATE SET used = w.used + EXCLUDED.used, touched = clock_timestamp();
                taken := taken - over;
            END IF;
            part := greatest(0, least(wish.allowed - taken, greatest(
                wish.need, least(wish.want, quota_share(wish.allowed - taken, peers)))));
            taken := taken + part;
            mine := wish.held + part;
        END IF;
        UPDATE quota_windows AS w SET used = taken
            WHERE w.scope = wish.scope AND w.quota = wish.quota AND w.window_no = wish.no;
        IF wish.quota IN ('tokens_per_day', 'concurrency') THEN
            INSERT INTO quota_leases AS l (scope, quota, window_no, gateway, held, expires_at)
                VALUES (wish.scope, wish.quota, wish.no, who, mine,
                    clock_timestamp() + make_interval(secs => lease_seconds))
                ON CONFLICT (scope, quota, window_no, gateway)
                DO UPDATE SET held = EXCLUDED.held, expires_at = EXCLUDED.expires_at;
            IF mine = 0 THEN
                DELETE FROM quota_leases AS l WHERE l.scope = wish.scope AND l.quota = wish.quota
                    AND l.window_no = wish.no AND l.gateway = who;
            END IF;
        END IF;
        scope := wish.scope; quota := wish.quota; window_no := wish.no;
        granted := part; free := wish.allowed - taken;
        RETURN NEXT;
    END LOOP;
END $$;

-- What each shipped batch adds, written by the batch's own transaction (the trigger below), so that
-- a row is counted exactly when it is stored, whoever stores it; folded into days now and then.
CREATE TABLE usage_deltas (
    day date NOT NULL,
    tenant text NOT NULL,
    key_id text NOT NULL,
    model text NOT NULL,
    version text NOT NULL,
    requests bigint NOT NULL,
    attempts bigint NOT NULL,
    errors bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL
);
CREATE TABLE usage_daily (
    day date NOT NULL,
    tenant text NOT NULL,
    key_id text NOT NULL,
    model text NOT NULL,
    version text NOT NULL,
    requests bigint NOT NULL,
    attempts bigint NOT NULL,
    errors bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    PRIMARY KEY (day, tenant, key_id, model, version)
);

CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO usage_deltas (day, tenant, key_id, model, version, requests, attempts, errors,
        prompt_tokens, completion_tokens)
    SELECT ("timestamp" AT TIME ZONE 'UTC')::date, tenant, key_id, model_name, version,
        count(*) FILTER (WHERE attempt = 1), count(*), count(*) FILTER (WHERE error),
        coalesce(sum(prompt_tokens), 0), coalesce(sum(completion_tokens), 0)
    FROM fresh WHERE NOT shadow GROUP BY 1, 2, 3, 4, 5;
    RETURN NULL;
END $$;
-- For each statement: rows that were there already (ON CONFLICT DO NOTHING) are not in it.
CREATE TRIGGER count_usage AFTER INSERT ON request_logs REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION count_usage();

-- GPUs that a version holds while it serves, and how long it held them, by day.
CREATE TABLE version_gpus (
    model text NOT NULL,
    version text NOT NULL,
    gpus integer NOT NULL CHECK (gpus >= 0),
    counted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model, version)
);
CREATE TABLE gpu_daily (
    day date NOT NULL,
    model text NOT NULL,
    version text NOT NULL,
    seconds double precision NOT NULL,
    PRIMARY KEY (day, model, version)
);
