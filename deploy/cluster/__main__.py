"""``python3 deploy/cluster …``: ``python3 -m slipway_cluster …`` with this folder on the path."""

import sys

from slipway_cluster.__main__ import main

sys.exit(main(sys.argv[1:]))
