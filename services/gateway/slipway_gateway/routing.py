"""Pure routing: unit, split, fence and guard. Knows no web framework."""
