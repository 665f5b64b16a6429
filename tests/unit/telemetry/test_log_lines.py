"""The formatter: every record becomes a line of the schema, whatever is in it."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_lines import wrong_with

from slipway_telemetry.line import LogLine, Service
from slipway_telemetry.logs import JsonLines, adopt, configure_logs

KEY = "slw_0123456789ab_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"


def _line(message: str = "said", *arguments: Any, **extra: Any) -> dict[str, Any]:
    record = logging.LogRecord("a.part", logging.INFO, "f.py", 1, message, arguments, None)
    vars(record).update(extra)
    return _checked(JsonLines(Service.GATEWAY).format(record))


def _checked(text: str) -> dict[str, Any]:
    assert "\n" not in text
    text.encode("utf-8")
    line: dict[str, Any] = json.loads(text)
    assert not wrong_with(line), text
    LogLine.model_validate(line)
    return line


def _raised(error: BaseException) -> Any:
    try:
        raise error
    except BaseException:
        return sys.exc_info()


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_plain_line() -> None:
    line = _line("%s of %d", "one", 2, model="m", version="m-v1", request_id="r", tenant="t")
    assert (line["level"], line["service"], line["logger"]) == ("info", "gateway", "a.part")
    assert line["message"] == "one of 2"
    assert (line["model"], line["version"], line["request_id"]) == ("m", "m-v1", "r")
    assert line["time"].endswith("Z")
    assert "data" not in line


def test_numbers_and_traces_are_themselves_where_they_fit() -> None:
    line = _line(step=3, revision=7, trace_id="a" * 32, span_id="b" * 16)
    assert (line["step"], line["revision"]) == (3, 7)
    assert (line["trace_id"], line["span_id"]) == ("a" * 32, "b" * 16)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", "three"),
        ("step", True),
        ("step", 2**70),
        ("trace_id", "A" * 32),
        ("span_id", 5),
        ("run", "m-v1-train"),
        ("deep", {"a": [1, 2]}),
    ],
)
def test_what_fits_no_field_is_data(key: str, value: Any) -> None:
    assert _line(**{key: value})["data"] == {key: str(value)}


def test_nothing_is_null() -> None:
    assert "model" not in _line(model=None)
    assert "data" not in _line(anything=None)


def test_many_extras_are_bounded() -> None:
    assert len(_line(**{f"k{n}": n for n in range(100)})["data"]) == 24


@pytest.mark.parametrize(
    "text", ["x" * 1_000_000, "é\ud800\udfff\x00\x1b[31m\u2028"], ids=["huge", "odd"]
)
def test_odd_texts_stay_one_bounded_line(text: str) -> None:
    line = _line(text, error=text, model=text, other=text)
    assert len(line["message"]) <= 8192
    assert len(line["data"]["other"]) <= 512
    if len(text) > 8192:
        assert line["message"].endswith("cut")


def test_arguments_that_do_not_fit_do_not_fail() -> None:
    assert "do not fit" in _line("%d of %d", "one")["message"]
    assert "cannot be printed" in _line(other=Unprintable())["data"]["other"]
    assert "RuntimeError" in _line("%s", Unprintable())["message"]


def test_an_exception_is_a_traceback() -> None:
    line = _line(exc_info=_raised(ValueError("bad é")))
    assert line["traceback"].endswith("ValueError: bad é")
    assert "Traceback" in line["traceback"]


def test_a_long_traceback_keeps_its_end() -> None:
    line = _line(exc_info=_raised(ValueError("x" * 100_000 + " end")))
    assert len(line["traceback"]) <= 16_384
    assert line["traceback"].endswith("end")


def test_no_exception_is_no_traceback() -> None:
    assert "traceback" not in _line(exc_info=(None, None, None))


@pytest.mark.parametrize("place", ["message", "error", "model", "data", "traceback"])
def test_a_key_in_any_place_is_hidden(place: str) -> None:
    said = f"with {KEY} in it"
    lines = {
        "message": lambda: _line("%s", said),
        "error": lambda: _line(error=said),
        "model": lambda: _line(model=said),
        "data": lambda: _line(other=said),
        "traceback": lambda: _line(exc_info=_raised(ValueError(said))),
    }
    text = json.dumps(lines[place]())
    assert "AbCdEf" not in text
    assert "slw_***" in text


def test_a_secret_is_not_shown_by_being_cut() -> None:
    for before in range(8192 - 60, 8192):
        message = _line("x" * before + f" postgresql://u:hunter2hunter2@h/d and {KEY}")["message"]
        assert "hunter2" not in message
        assert "AbCd" not in message


def test_data_whose_name_tells_of_a_secret_is_hidden() -> None:
    assert _line(api_key="abcdefgh")["data"] == {"api_key": "***"}


@settings(deadline=None, max_examples=200)
@given(
    message=st.text(),
    arguments=st.lists(st.one_of(st.integers(), st.text(), st.none()), max_size=3),
    extra=st.dictionaries(
        st.one_of(st.sampled_from(sorted(LogLine.model_fields)), st.text(min_size=1, max_size=8)),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
        max_size=8,
    ),
)
def test_any_record_is_a_line(message: str, arguments: list[Any], extra: dict[str, Any]) -> None:
    record = logging.LogRecord("n", 35, "f.py", 1, message, tuple(arguments), None)
    own = set(vars(record))
    vars(record).update({key: value for key, value in extra.items() if key not in own})
    _checked(JsonLines(Service.WORKER).format(record))


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.BytesIO]:
    """What ``configure_logs`` made of this process, which is as it was afterwards."""
    root, capture = logging.getLogger(), logging._warnings_showwarning  # type: ignore[attr-defined]
    before = (root.handlers[:], root.level, logging.raiseExceptions)
    for place, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(place, name, getattr(place, name))
    raw = io.BytesIO()
    configure_logs(
        Service.TRAINING,
        stream=io.TextIOWrapper(raw, encoding="ascii", write_through=True),
        quiet={"noisy": logging.ERROR},
        tracing=lambda: ("c" * 32, "d" * 16),
        bound={"version": "m-v1"},
    )
    yield raw
    root.handlers[:], level, logging.raiseExceptions = before
    root.setLevel(level)
    logging.getLogger("noisy").setLevel(logging.NOTSET)
    if capture is None:
        logging.captureWarnings(False)


def _lines(written: io.BytesIO) -> list[dict[str, Any]]:
    return [_checked(text) for text in written.getvalue().decode().splitlines()]


def test_a_configured_process_writes_utf8_with_what_is_bound(written: io.BytesIO) -> None:
    # Past pytest's own handler: what it captures goes through xdist's pipe, which is strict UTF-8.
    record = logging.LogRecord("x", logging.INFO, "f.py", 1, "é\ud800", (), None)
    logging.getLogger().handlers[0].handle(record)
    logging.getLogger("noisy").warning("unheard")
    (line,) = _lines(written)
    assert line["message"] == "é?"
    assert line["version"] == "m-v1"
    assert (line["trace_id"], line["span_id"]) == ("c" * 32, "d" * 16)


def test_uncaught_errors_and_warnings_are_lines(written: io.BytesIO) -> None:
    sys.excepthook(*_raised(ValueError("lost")))
    sys.excepthook(*_raised(KeyboardInterrupt()))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("mind", stacklevel=1)
    thread = threading.Thread(target=lambda: [][0], name="side")
    thread.start()
    thread.join()
    crash, interrupted, warning, side = _lines(written)
    assert (crash["level"], crash["traceback"].endswith("ValueError: lost")) == ("critical", True)
    assert interrupted["level"] == "info"
    assert "mind" in warning["message"]
    assert side["message"] == "the thread side ends"


def test_a_library_with_a_handler_of_its_own_is_adopted(written: io.BytesIO) -> None:
    library = logging.getLogger("a.library")
    library.addHandler(logging.NullHandler())
    library.propagate = False
    adopt("a.library")
    library.warning("hello")
    assert [line["logger"] for line in _lines(written)] == ["a.library"]
