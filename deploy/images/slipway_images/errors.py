"""The image scripts' errors.

ImagesError        one line for the person at the terminal: what is wrong and what to do next
├── CommandFailed  a program that was called failed; ends with the last lines it wrote
└── StoreError     the storage of built images lacks what was asked for
"""

from __future__ import annotations


class ImagesError(Exception):
    """What is wrong, and the next action."""


class CommandFailed(ImagesError):
    """A called program's failure."""


class StoreError(ImagesError):
    """An image or a layer that is not in the storage."""
