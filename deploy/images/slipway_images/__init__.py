"""Slipway's container images: built with Docker, or without it and without a registry.

Standard library only, so that ``python3 deploy/images`` runs before any environment exists. Knows
nothing of clusters but how to hand them an image.
"""
