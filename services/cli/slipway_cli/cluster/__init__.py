"""The session of a cluster: objects and events from its API server, and what cannot be read there.

The only package of the command that knows Kubernetes' client, which comes with the extra
``slipway-cli[cluster]`` and is imported when a cluster is asked for.
"""
