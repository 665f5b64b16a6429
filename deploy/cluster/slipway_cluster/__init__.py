"""A real Kubernetes on one machine for Slipway's tests, from the standard library alone.

It runs before any virtual environment exists, so it imports nothing that must be installed. Nothing
here knows Slipway's resources: it is a cluster, and whoever uses it brings the objects.
"""
