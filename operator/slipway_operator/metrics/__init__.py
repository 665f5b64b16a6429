"""What the operator counts of its own work (``process``) and tells of its versions (``lifecycle``).

Names, labels and bounds are the contracts'. Everything is made of what a pass has seen anyway.
"""

from slipway_operator.metrics.lifecycle import Lifecycle
from slipway_operator.metrics.process import Metrics

__all__ = ["Lifecycle", "Metrics"]
