"""``python -m slipway_cli``: the same as ``slipway``."""

import sys

from slipway_cli.main import main

sys.exit(main())
