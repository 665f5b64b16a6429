"""Slipway's Prometheus rules as code: recorded series and alerts."""
