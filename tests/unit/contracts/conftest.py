"""Hypothesis measures no time here: the machine is shared."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("slipway", deadline=None)
settings.load_profile("slipway")
