"""A multipart form with one file, read as it comes: small fields are kept, the file is passed on.

Bounded in memory whatever is sent: fields and part headers have limits, and the file's bytes are
handed out with every piece of the body. Knows no request and no database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from slipway_gateway.errors import BadRequest

FIELD = "file"
FIELD_LIMIT = 4096
PARTS_LIMIT = 16
HEADERS_LIMIT = 8192


class UploadForm:
    """``fields`` by name, ``filename`` once the file's part has begun. Raises BadRequest."""

    def __init__(self, content_type: str) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise BadRequest("send the file as multipart/form-data", param=FIELD)
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._parts = 0
        self._headers: dict[str, bytes] = {}
        self._name, self._value = b"", b""
        self._field: str | None = None
        self._data = bytearray()
        self._pieces: list[bytes] = []
        self._ended = False
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._part_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        given: Any = callbacks
        try:
            self._parser = MultipartParser(boundary, given)
        except FormParserError as error:
            raise BadRequest("the form's boundary cannot be read") from error

    def feed(self, data: bytes) -> list[bytes]:
        """What of the file is in this piece of the body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise BadRequest("the form cannot be read") from error
        pieces, self._pieces = self._pieces, []
        return pieces

    def finish(self) -> None:
        """The body is over."""
        if not self._ended:
            raise BadRequest("the form is not whole")
        if self.filename is None:
            raise BadRequest(f"{FIELD}: the form has no file", param=FIELD)

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > PARTS_LIMIT:
            raise BadRequest(f"the form has more than {PARTS_LIMIT} parts")
        self._headers = {}
        self._name, self._value = b"", b""
        self._field = None

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name = _bounded(self._name + data[start:end])

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value = _bounded(self._value + data[start:end])

    def _end_header(self) -> None:
        if len(self._headers) >= PARTS_LIMIT:
            raise BadRequest("a part of the form has too many headers")
        self._headers[self._name.decode("latin-1").lower()] = self._value
        self._name, self._value = b"", b""

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._headers.get("content-disposition", b""))
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name == FIELD and b"filename" in options:
            if self.filename is not None:
                raise BadRequest(f"{FIELD}: send one file", param=FIELD)
            self.filename = options[b"filename"].decode("utf-8", "replace")
        else:
            self._field = name
            self._data = bytearray()

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field is None:
            self._pieces.append(data[start:end])
            return
        self._data += data[start:end]
        if len(self._data) > FIELD_LIMIT:
            name = self._field[:64]
            raise BadRequest(f"{name}: longer than {FIELD_LIMIT} bytes", param=name)

    def _end_part(self) -> None:
        if self._field is not None:
            self.fields[self._field] = self._data.decode("utf-8", "replace")

    def _end(self) -> None:
        self._ended = True


def _bounded(header: bytes) -> bytes:
    if len(header) > HEADERS_LIMIT:
        raise BadRequest("a header of the form is too long")
    return header
