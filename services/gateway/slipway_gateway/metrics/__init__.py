"""What the process counts and shows: the catalogue of the contracts, gateway's part.

``traffic`` is counted by every request, ``process`` makes the page of it and of what else is known
at a scrape (``state``, ``overload.figures``).
"""

from slipway_gateway.metrics.process import Metrics
from slipway_gateway.metrics.traffic import InFlight

__all__ = ["InFlight", "Metrics"]
