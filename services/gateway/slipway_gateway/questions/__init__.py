"""S4: questions that are answered later, by the worker, or at once from what was said before."""
