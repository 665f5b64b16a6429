"""The verbs, one idea a module; each has ``register(app)``."""
