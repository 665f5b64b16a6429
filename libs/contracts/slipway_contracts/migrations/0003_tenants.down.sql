-- Tenants, keys with scopes, quotas and usage.
SELECT 1;
