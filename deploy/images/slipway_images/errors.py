"""The image scripts' errors.

ImagesError        one line for the person at the terminal: what is wrong and what to do next
├── CommandFailed  a program that was called failed; ends with the last lines it wrote
└── LayoutError    the store of built images lacks what was asked for
"""

from __future__ import annotations


class ImagesError(Exception):
    """What is wrong, and the next action."""


class CommandFailed(ImagesError):
    """A called program's failure."""


class LayoutError(ImagesError):
    """An image or a blob that is not in the layout."""
