"""``python3 deploy/images …``: ``python3 -m slipway_images …`` with this folder on the path."""

import sys

from slipway_images.__main__ import main

sys.exit(main(sys.argv[1:]))
