-- Questions, answers and the job queue.
DROP TABLE pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics;
DROP FUNCTION fn_pgqueuer_changed(), count_job_death();
DROP TYPE pgqueuer_status;
DROP TABLE batch_lines, batches, files, dead_jobs, answer_cache, questions;
