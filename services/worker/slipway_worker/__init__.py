"""The worker: takes jobs from PostgreSQL, does them, and stores each job's effect exactly once.

It calls the gateway's own API for every answer and has no inference path of its own.
"""
