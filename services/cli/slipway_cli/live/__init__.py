"""Live figures of a running Slipway, for ``status`` and ``top``: read, added up, drawn.

``window`` holds samples (counters as rates), from ``scraping`` (the processes' own ``/metrics``) or
``prometheus`` (a server that scrapes them); ``figures`` adds them up by version and process;
``picture`` joins them with the objects; ``screen`` draws. Names come from the metric catalogue.
"""
