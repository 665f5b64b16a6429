DROP TABLE api_keys, measurements, log_offsets, feedback, overdue_events, request_logs, guard_trips,
    gateways, routes, events, objects;
DROP FUNCTION ensure_log_partitions(integer), notify_object();
DROP SEQUENCE routes_revisions, resource_versions;
