-- Tenants, keys with scopes, quotas and usage. Keys stay; their scopes, limits and grace go.
DROP TRIGGER count_usage ON request_logs;
DROP TABLE gpu_daily, version_gpus, usage_daily, usage_deltas, quota_leases, quota_windows,
    audit_log, key_settings, tenants;
DROP FUNCTION settle_quotas(
    text, double precision, text[], text[], bigint[], bigint[], bigint[], bigint[], bigint[], bigint[]);
DROP FUNCTION quota_share(bigint, bigint), count_usage();
