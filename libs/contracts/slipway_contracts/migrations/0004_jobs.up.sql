-- Questions, answers and the job queue.
SELECT 1;
