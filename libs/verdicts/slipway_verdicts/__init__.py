"""How a rollout is judged: VERDICTS.md of the design as pure functions over counts.

No I/O, no clock, no log reading: counts in, a judgement out, so any restart recomputes the same.
"""
