-- Objects (local mode), routes and heartbeats, the attempts log, evidence, keys and events.

CREATE SEQUENCE resource_versions;

CREATE TABLE objects (
    kind text NOT NULL,
    namespace text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    uid text NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    resource_version bigint NOT NULL DEFAULT nextval('resource_versions'),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at timestamptz,
    labels jsonb NOT NULL DEFAULT '{}',
    annotations jsonb NOT NULL DEFAULT '{}',
    finalizers jsonb NOT NULL DEFAULT '[]',
    spec jsonb NOT NULL,
    status jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (kind, namespace, name)
);

CREATE FUNCTION notify_object() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE row objects;
BEGIN
    IF TG_OP = 'DELETE' THEN row := OLD; ELSE row := NEW; END IF;
    PERFORM pg_notify('slipway_objects', row.kind || '/' || row.namespace || '/' || row.name);
    RETURN NULL;
END $$;
CREATE TRIGGER objects_notify AFTER INSERT OR UPDATE OR DELETE ON objects
    FOR EACH ROW EXECUTE FUNCTION notify_object();

CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    namespace text NOT NULL DEFAULT 'default',
    name text NOT NULL,
    type text NOT NULL CHECK (type IN ('Normal', 'Warning')),
    reason text NOT NULL,
    message text NOT NULL
);
CREATE INDEX events_by_object ON events (kind, namespace, name, id);

CREATE SEQUENCE routes_revisions;
CREATE TABLE routes (
    model text PRIMARY KEY,
    revision bigint NOT NULL,
    body jsonb NOT NULL,
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE gateways (
    gateway text PRIMARY KEY,
    revision bigint NOT NULL,
    watermark timestamptz NOT NULL,
    at timestamptz NOT NULL,
    in_flight jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE guard_trips (
    model text NOT NULL,
    rollout_id text NOT NULL,
    gateway text NOT NULL,
    candidate_requests bigint NOT NULL,
    candidate_bad bigint NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (model, rollout_id, gateway)
);

CREATE TABLE request_logs (
    request_id text NOT NULL,
    attempt integer NOT NULL,
    "timestamp" timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    gateway text NOT NULL,
    route text NOT NULL,
    model_name text NOT NULL,
    version text NOT NULL,
    routes_revision bigint NOT NULL,
    unit_hash text NOT NULL,
    tenant text NOT NULL DEFAULT '',
    key_id text NOT NULL DEFAULT '',
    status integer NOT NULL,
    stream boolean NOT NULL,
    shadow boolean NOT NULL,
    error boolean NOT NULL,
    refused boolean NOT NULL,
    empty boolean,
    truncated boolean,
    schema_invalid boolean,
    overdue boolean NOT NULL,
    client_gone boolean NOT NULL,
    input_text text,
    output_text text,
    processing_time_ms double precision NOT NULL,
    ttft_ms double precision,
    token_ms double precision,
    prompt_tokens integer,
    completion_tokens integer,
    finish_reason text,
    message text,
    PRIMARY KEY (request_id, attempt, "timestamp")
) PARTITION BY RANGE ("timestamp");
CREATE TABLE request_logs_default PARTITION OF request_logs DEFAULT;
CREATE INDEX request_logs_by_model ON request_logs (model_name, "timestamp");

CREATE FUNCTION ensure_log_partitions(days integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE day date; part text;
BEGIN
    FOR i IN 0..days LOOP
        day := (now() AT TIME ZONE 'UTC')::date + i;
        part := 'request_logs_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(part) IS NULL THEN
            BEGIN
                EXECUTE format(
                    'CREATE TABLE %I PARTITION OF request_logs FOR VALUES FROM (%L) TO (%L)',
                    part, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
            EXCEPTION WHEN duplicate_table OR check_violation THEN NULL;
            END;
        END IF;
    END LOOP;
END $$;

CREATE TABLE overdue_events (
    request_id text NOT NULL,
    attempt integer NOT NULL,
    "timestamp" timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    model_name text NOT NULL,
    version text NOT NULL,
    unit_hash text NOT NULL,
    PRIMARY KEY (request_id, attempt)
);
CREATE INDEX overdue_by_model ON overdue_events (model_name, "timestamp");

CREATE TABLE feedback (
    request_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    thumbs_down boolean NOT NULL,
    PRIMARY KEY (request_id)
);

CREATE TABLE log_offsets (
    gateway text NOT NULL,
    segment text NOT NULL,
    shipped bigint NOT NULL,
    PRIMARY KEY (gateway, segment)
);

CREATE TABLE measurements (
    model text NOT NULL,
    version text NOT NULL,
    attempt text NOT NULL,
    step integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    verdict text NOT NULL,
    body jsonb NOT NULL,
    PRIMARY KEY (model, version, attempt, step, at)
);

CREATE TABLE api_keys (
    id text PRIMARY KEY,
    name text NOT NULL,
    hash text NOT NULL,
    models text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz
);
