"""What crosses a process boundary in Slipway, and nothing else.

Resource types, artifact manifest, names, conditions, routes, log rows, run files and the metric
catalogue. Standard library and pydantic only; no I/O. Import the module that owns the noun, e.g.
``from slipway_contracts.model import Model``.
"""
