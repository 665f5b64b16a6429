"""Structured logs: one JSON object a line, the same in every process (``line.LogLine``).

A process calls ``configure_logs`` once, first. From then on everything that anybody says through
``logging``, warnings and exceptions that nobody caught are lines of that form. Never prompts, keys
or secrets: who logs sees to it, and ``scrub`` is the net below. Never raises, whatever is logged.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from slipway_telemetry import line
from slipway_telemetry.line import Level, Service
from slipway_telemetry.scrub import scrub
from slipway_telemetry.trace import ids_now

# What is cut is looked through for secrets a little further: half of one is one, too.
_MARGIN = 2_048
_CUT = " … cut"
_LEVELS = (
    (logging.CRITICAL, Level.CRITICAL),
    (logging.ERROR, Level.ERROR),
    (logging.WARNING, Level.WARNING),
    (logging.INFO, Level.INFO),
)
_TEXTS = frozenset({"model", "version", "request_id", "tenant"})
_NUMBERS = frozenset({"step", "revision"})
_HEX = {"trace_id": 32, "span_id": 16}
# What an index holds as a whole number.
_LONG = 2**63
_HEX_DIGITS = frozenset("0123456789abcdef")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",
}

# Loggers that tell more than anybody wants to read, and from where on they are heard.
Quiet = Mapping[str, int]
# trace_id and span_id of what goes on now, where that is traced.
Tracing = Callable[[], tuple[str, str] | None]


class JsonLines(logging.Formatter):
    """Record → one line without its newline."""

    def __init__(
        self,
        service: Service | str,
        *,
        tracing: Tracing | None = None,
        bound: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._service = Service(service)
        self._tracing = tracing
        self.bound = dict(bound or {})

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": _time(record.created),
            "level": _level(record.levelno or 0),
            "service": self._service,
            "logger": _text(record.name, line.VALUE_LIMIT),
            "message": _text(_message(record), line.MESSAGE_LIMIT),
        }
        given = {k: v for k, v in vars(record).items() if k not in _PLAIN and v is not None}
        self._place(found, self.bound | given)
        if self._tracing is not None and "trace_id" not in found:
            self._trace(found, self._tracing)
        if record.exc_info and record.exc_info[0] is not None:
            found["traceback"] = _traceback(record.exc_info)
        return json.dumps(found, ensure_ascii=False)

    def _place(self, found: dict[str, Any], given: Mapping[str, Any]) -> None:
        """Each of ``given`` where it belongs; what does not fit its field goes into ``data``."""
        data: dict[str, str] = {}
        for key, value in given.items():
            if key in _TEXTS:
                found[key] = _text(value, line.VALUE_LIMIT)
            elif key == "error":
                found[key] = _text(value, line.MESSAGE_LIMIT)
            elif _fits(key, value):
                found[key] = value
            elif len(data) < line.DATA_LIMIT:
                # Together, so that a name that tells of a secret hides its value.
                name = _text(key, line.VALUE_LIMIT)
                said = _text(
                    f"{name}={value}" if isinstance(value, str) else value, line.VALUE_LIMIT
                )
                data[name] = said.removeprefix(f"{name}=")
        if data:
            found["data"] = data

    @staticmethod
    def _trace(found: dict[str, Any], tracing: Tracing) -> None:
        now = tracing()
        if now is not None:
            found["trace_id"], found["span_id"] = now


def configure_logs(
    service: Service,
    *,
    stream: TextIO | None = None,
    quiet: Quiet | None = None,
    tracing: Tracing = ids_now,
    bound: Mapping[str, Any] | None = None,
) -> None:
    """For this process: everything from INFO on to ``stream`` (stderr).

    ``bound``: keys that every line has, such as the ``version`` of a training run.
    """
    target = sys.stderr if stream is None else stream
    if hasattr(target, "reconfigure"):
        # Whatever the locale says: a line is UTF-8, and no character makes writing fail.
        target.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(target)
    handler.setFormatter(JsonLines(service, tracing=tracing, bound=bound))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # A log that cannot be written tells so in its own words, and quotes what it could not write.
    logging.raiseExceptions = False
    logging.captureWarnings(True)
    for name, level in (quiet or {}).items():
        logging.getLogger(name).setLevel(level)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    sys.unraisablehook = _unraisable


def bind(**keys: Any) -> None:
    """From now on every line of this process has these, such as a run's ``version``."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, JsonLines):
            handler.formatter.bound |= keys


def adopt(*names: str) -> None:
    """Libraries that brought a handler of their own write lines like everybody else."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        logging.getLogger("slipway").info("interrupted")
        return
    logging.getLogger("slipway").critical("the process ends", exc_info=(kind, error, trace))


def _uncaught_in_thread(given: threading.ExceptHookArgs) -> None:
    if given.exc_value is not None:
        name = "?" if given.thread is None else given.thread.name
        found = (given.exc_type, given.exc_value, given.exc_traceback)
        logging.getLogger("slipway").error("the thread %s ends", name, exc_info=found)


def _unraisable(given: sys.UnraisableHookArgs) -> None:
    if given.exc_value is not None:
        found = (given.exc_type, given.exc_value, given.exc_traceback)
        logging.getLogger("slipway").error("an error that nobody could hear", exc_info=found)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _level(number: int) -> Level:
    return next((level for least, level in _LEVELS if number >= least), Level.DEBUG)


def _message(record: logging.LogRecord) -> str:
    """Anybody's record: its arguments need not fit, and their ``__str__`` may fail."""
    try:
        return record.getMessage()
    except Exception as error:
        return f"{record.msg!s:.200} (its arguments do not fit: {type(error).__name__})"


def _text(value: object, limit: int) -> str:
    """At most ``limit`` characters that UTF-8 can hold, without secrets."""
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception as error:
        return f"(cannot be printed: {type(error).__name__})"
    near = text[: limit + _MARGIN].encode("utf-8", "replace").decode("utf-8")
    clean = scrub(near)
    if len(clean) <= limit and len(text) <= limit + _MARGIN:
        return clean
    return clean[: limit - len(_CUT)] + _CUT


def _traceback(found: Any) -> str:
    """The innermost frames matter; a long one loses its outer ones."""
    try:
        text = "".join(traceback.format_exception(*found))
    except Exception as error:
        return f"(cannot be printed: {type(error).__name__})"
    limit = line.TRACEBACK_LIMIT
    clean = scrub(text[-(limit + _MARGIN) :].encode("utf-8", "replace").decode("utf-8")).rstrip()
    return clean if len(clean) <= limit else "cut … " + clean[-(limit - 6) :]


def _fits(key: str, value: object) -> bool:
    """A number, or an id of a trace, as its field wants it."""
    if key in _NUMBERS:
        return type(value) is int and abs(value) < _LONG
    return (
        key in _HEX
        and isinstance(value, str)
        and len(value) == _HEX[key]
        and _HEX_DIGITS.issuperset(value)
    )
