"""The cluster scripts' errors.

ClusterError          one line for the person at the terminal: what is wrong and what to do next
├── MissingToolError  a binary is not built yet
├── ProcessError      a process ended early or did not answer in time; names its log
└── ApiError          the API server refused a request; carries the HTTP status
"""

from __future__ import annotations


class ClusterError(Exception):
    """What is wrong, and the next action."""


class MissingToolError(ClusterError):
    """A binary of the tool table is not in the cache."""


class ProcessError(ClusterError):
    """A process of the cluster ended early or did not become ready."""


class ApiError(ClusterError):
    """The API server's refusal."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
