"""The PostgreSQL side of the contracts: the only place with SQL for tables that processes share.

``connect`` (pool, listener), ``migrate``, ``objects``, ``events``, ``routes``, ``attempts``,
``counts``, ``measurements``, ``keys``, ``jobs``, ``questions``, ``cache``, ``files``, ``batches``,
``embedded``, ``ending``. Functions take the pool; no state, no work at import.
"""
