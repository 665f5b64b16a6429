"""Slipway's Grafana dashboards as data, and what turns them into JSON, documents and checks."""
