-- The attempts log: payload policy, partitions and their retention.
SELECT 1;
