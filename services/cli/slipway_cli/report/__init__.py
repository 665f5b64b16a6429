"""One version's life as a self-contained HTML page: no network, no script, light and dark.

``material`` gathers what is known, ``life`` orders it in time, ``plots`` says what is drawn,
``svg`` draws it, ``sections`` and ``page`` write the HTML. All but ``material`` is pure.
"""
