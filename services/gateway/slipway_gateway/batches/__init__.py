"""OpenAI's files and batches: stored in PostgreSQL, run by the worker."""
