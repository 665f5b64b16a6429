"""Hostile HTTP/1.1 requests as a table: framing, start lines, targets, headers, chunks, pipelines.

``ROWID000`` stands for the request's own id (header and prompt), ``SMUGL000`` for that of a request
hidden inside it; both are replaced by unique ids of the same length. ``status`` is what the first
message is answered with where llhttp accepts it; ``refused`` rows must never be accepted, whatever
llhttp thinks of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

ROW, SMUGGLED, MARK = b"ROWID000", b"SMUGL000", b"MARKR000"
PATH = b"/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One hostile beginning of a connection."""

    name: str
    data: bytes
    status: int | None = None
    refused: bool = False


def chat(token: bytes, model: bytes = b"echo") -> bytes:
    """A chat whose answer repeats ``token``."""
    message = b'{"role":"user","content":"' + token + b'"}'
    return b'{"model":"' + model + b'","messages":[' + message + b"]}"


def head(*lines: bytes, start: bytes = b"POST " + PATH + b" HTTP/1.1", host: bool = True) -> bytes:
    """A request head with the row's id."""
    usual = (b"host: x",) if host else ()
    return b"\r\n".join((start, *usual, b"x-request-id: " + ROW, *lines, b"", b""))


BODY = chat(ROW)
LENGTH = b"content-length: %d" % len(BODY)
CHUNKED = b"transfer-encoding: chunked"


def chunk(data: bytes, extension: bytes = b"") -> bytes:
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


IN_CHUNKS = chunk(BODY[:20]) + chunk(BODY[20:])
LAST = b"0\r\n\r\n"
HIDDEN_BODY = chat(SMUGGLED)
HIDDEN = b"POST %b HTTP/1.1\r\nhost: x\r\nx-request-id: %b\r\ncontent-length: %d\r\n\r\n%b" % (
    PATH,
    SMUGGLED,
    len(HIDDEN_BODY),
    HIDDEN_BODY,
)


def marker(*, close: bool = True) -> bytes:
    """The well-formed request that follows every row on its connection."""
    body = chat(MARK)
    lines = [b"POST " + PATH + b" HTTP/1.1", b"host: x", b"x-request-id: " + MARK]
    lines += [b"content-length: %d" % len(body), *([b"connection: close"] if close else [])]
    return b"\r\n".join((*lines, b"", body))


def _lengths() -> Iterator[Row]:
    """Content-Length in forms that two readers may read as two numbers."""
    n = b"%d" % len(BODY)
    forms = {
        "plus": b"+" + n,
        "minus": b"-" + n,
        "hex": b"0x%x" % len(BODY),
        "hex-bare": b"%xh" % 255,
        "float": n + b".0",
        "exponent": b"1e2",
        "empty": b"",
        "comma-same": n + b"," + n,
        "comma-space-same": n + b", " + n,
        "comma-other": n + b",0",
        "comma-zero-first": b"0," + n,
        "words": b"abc",
        "trailing-letter": n + b"a",
        "inner-space": n[:1] + b" " + n[1:],
        "underscore": n[:1] + b"_" + n[1:],
        "quoted": b'"' + n + b'"',
        "semicolon": n + b";",
        "unicode-digits": "７６".encode(),
        "huge": b"9" * 30,
        "uint64-wrap": b"18446744073709551616",
        "uint64-wrap-plus": b"%d" % (2**64 + len(BODY)),
        "int64-max": b"9223372036854775807",
        "vertical-tab": b"\x0b" + n,
        "form-feed": b"\x0c" + n,
        "nbsp": b"\xa0" + n,
        "minus-zero": b"-0",
        "newline-inside": n + b"\n",
    }
    harmless = {"newline-inside", "int64-max"}
    for name, value in forms.items():
        data = head(b"content-length: " + value) + BODY
        yield Row(name=f"cl-{name}", data=data, refused=name not in harmless)
    for name, value in {"leading-zeros": b"000" + n, "tabs": b"\t" + n + b"\t "}.items():
        yield Row(name=f"cl-{name}", data=head(b"content-length: " + value) + BODY, status=200)
    yield Row(name="cl-twice-same", data=head(LENGTH, LENGTH) + BODY, refused=True)
    other = b"content-length: 0"
    yield Row(name="cl-twice-other", data=head(LENGTH, other) + BODY, refused=True)
    yield Row(name="cl-twice-zero-first", data=head(other, LENGTH) + BODY, refused=True)
    yield Row(name="cl-twice-case", data=head(LENGTH, b"CONTENT-LENGTH: 1") + BODY, refused=True)
    yield Row(name="cl-none-with-body", data=head() + HIDDEN)
    yield Row(name="cl-zero-then-request", data=head(other) + HIDDEN, status=400)
    yield Row(name="cl-too-short", data=head(b"content-length: 10") + BODY)
    yield Row(name="cl-too-long", data=head(b"content-length: %d" % (len(BODY) + 50)) + BODY)
    yield Row(name="cl-far-too-long", data=head(b"content-length: 3000") + BODY)
    yield Row(name="cl-over-the-limit", data=head(b"content-length: 99999999") + BODY, status=413)
    get = head(LENGTH, start=b"GET /health HTTP/1.1")
    yield Row(name="cl-get-with-body", data=get + BODY, status=200)
    hidden = head(b"content-length: %d" % len(HIDDEN), start=b"GET /health HTTP/1.1")
    yield Row(name="cl-get-hides-a-request", data=hidden + HIDDEN, status=200)


def _codings() -> Iterator[Row]:
    """Transfer-Encoding, alone and beside Content-Length (CL.TE, TE.CL, TE.TE)."""
    chunked = IN_CHUNKS + LAST
    cl_te = b"content-length: %d" % len(chunked)
    yield Row(name="te-plain", data=head(CHUNKED) + chunked, status=200)
    yield Row(name="te-case", data=head(b"Transfer-Encoding: CHUNKED") + chunked, status=200)
    yield Row(name="cl-te", data=head(cl_te, CHUNKED) + chunked, refused=True)
    short = b"content-length: 4"
    yield Row(name="cl-te-hides", data=head(short, CHUNKED) + LAST + HIDDEN, refused=True)
    yield Row(name="te-cl", data=head(CHUNKED, cl_te) + chunked, refused=True)
    yield Row(name="te-cl-hides", data=head(CHUNKED, short) + chunk(HIDDEN) + LAST, refused=True)
    zero = b"content-length: 0"
    yield Row(name="te-cl-zero", data=head(CHUNKED, zero) + LAST + HIDDEN, refused=True)
    odd = {
        "xchunked": b"xchunked",
        "identity": b"identity",
        "gzip": b"gzip",
        "unknown": b"cow",
        "chunked-identity": b"chunked, identity",
        "chunked-gzip": b"chunked, gzip",
        "twice-in-one": b"chunked, chunked",
        "quoted": b'"chunked"',
        "single-quoted": b"'chunked'",
        "semicolon": b"chunked;q=1",
        "nul": b"chunked\0",
        "vertical-tab": b"\x0bchunked",
        "tail-vertical-tab": b"chunked\x0b",
        "form-feed": b"\x0cchunked",
        "empty": b"",
        "letter-o": b"chunkedo",
        "cut": b"chunke",
        "nbsp": b"\xa0chunked",
        "space-in": b"chun ked",
        "high-bit": b"chunke\xe4",
        "dotless-k": "chun\u212aed".encode(),
    }
    for name, value in odd.items():
        line = b"transfer-encoding: " + value
        yield Row(name=f"te-{name}", data=head(line) + LAST + HIDDEN, refused=True)
        yield Row(name=f"te-{name}-cl", data=head(line, LENGTH) + BODY, refused=True)
    for name, value in {"tab": b"\tchunked", "trailing-spaces": b"chunked  "}.items():
        line = b"transfer-encoding:" + value
        yield Row(name=f"te-{name}", data=head(line) + chunked, status=200)
        yield Row(name=f"te-{name}-cl", data=head(line, zero) + chunked, refused=True)
    names = {
        "space-colon": b"Transfer-Encoding : chunked",
        "leading-space": b" Transfer-Encoding: chunked",
        "tab-colon": b"Transfer-Encoding\t: chunked",
        "underscore": b"Transfer_Encoding: chunked",
        "nul": b"Transfer\0-Encoding: chunked",
        "cr": b"X: y\rTransfer-Encoding: chunked",
        "lf": b"X: y\nTransfer-Encoding: chunked",
        "fold": b"Transfer-Encoding:\r\n chunked",
        "fold-tab": b"Transfer-Encoding:\r\n\tchunked",
        "no-colon": b"Transfer-Encoding chunked",
        "high-bit": b"Transfer-Encod\xefng: chunked",
        "paren": b"Transfer(Encoding): chunked",
    }
    for name, line in names.items():
        # Whoever overlooks the coding reads the length, and the other way round.
        yield Row(name=f"te-name-{name}", data=head(line, short) + LAST[:4] + HIDDEN)
    both = head(CHUNKED, b"transfer-encoding: identity") + chunked
    yield Row(name="te-chunked-then-identity", data=both, refused=True)
    # llhttp reads the last coding, which alone frames the message.
    twisted = head(b"transfer-encoding: identity", CHUNKED) + LAST + HIDDEN
    yield Row(name="te-identity-then-chunked", data=twisted)
    yield Row(name="te-twice", data=head(CHUNKED, CHUNKED) + chunked, refused=True)
    old = head(CHUNKED, start=b"POST " + PATH + b" HTTP/1.0") + chunked
    yield Row(name="te-in-http-1.0", data=old + HIDDEN)


def _chunks() -> Iterator[Row]:
    """Chunk sizes, terminators, extensions, trailers."""
    size = b"%x" % len(BODY)
    end = b"\r\n" + LAST
    bad = {
        "negative": b"-" + size + b"\r\n" + BODY + end,
        "0x": b"0x" + size + b"\r\n" + BODY + end,
        "plus": b"+" + size + b"\r\n" + BODY + end,
        "empty": b"\r\n" + BODY + end,
        "letters": b"zz\r\n" + BODY + end,
        "spaces": b"  \r\n" + BODY + end,
        "leading-space": b" " + size + b"\r\n" + BODY + end,
        "overflow-64": b"1%016x\r\n" % len(BODY) + BODY + end,
        "overflow-many": b"f" * 40 + b"\r\n" + BODY + end,
        "underscore": b"4_c\r\n" + BODY + end,
        "lf-only": size + b"\n" + BODY + b"\n0\n\n",
        "cr-only": size + b"\r" + BODY + b"\r0\r\r",
        "lf-after-size": size + b"\n" + BODY + end,
        "lf-after-data": size + b"\r\n" + BODY + b"\n" + LAST,
        "no-end": size + b"\r\n" + BODY + LAST,
        "two-too-many": size + b"\r\n" + BODY + b"XX" + end,
        "size-too-small": b"4\r\n" + BODY + end,
        "nul-size": size + b"\0\r\n" + BODY + end,
        "ext-lf": size + b";a\nb\r\n" + BODY + end,
        "ext-cr": size + b";a\rb\r\n" + BODY + end,
        "ext-nul": size + b";a\0b\r\n" + BODY + end,
        "comma": size + b",1\r\n" + BODY + end,
    }
    for name, body in bad.items():
        yield Row(name=f"chunk-{name}", data=head(CHUNKED) + body, refused=True)
    yield Row(name="chunk-size-too-large", data=head(CHUNKED) + b"fff\r\n" + BODY + end)
    yield Row(name="chunk-never-ends", data=head(CHUNKED) + chunk(BODY))
    yield Row(name="chunk-huge", data=head(CHUNKED) + b"7fffffff\r\n" + BODY)
    good = {
        "extension": chunk(BODY, b";a=b") + LAST,
        "quoted-extension": chunk(BODY, b';a="b;c"') + LAST,
        "upper-case": b"%X\r\n%b" % (len(BODY), BODY) + end,
        "zeros": b"000" + chunk(BODY) + LAST,
        "last-zeros": chunk(BODY) + b"0000\r\n\r\n",
        "of-one-byte": b"".join(chunk(BODY[i : i + 1]) for i in range(len(BODY))) + LAST,
        "trailer": chunk(BODY) + b"0\r\nx-check: 1\r\n\r\n",
        "trailer-host": chunk(BODY) + b"0\r\nhost: evil\r\n\r\n",
    }
    for name, body in good.items():
        # llhttp refuses some of these; the status counts where it does not.
        yield Row(name=f"chunk-{name}", data=head(CHUNKED) + body, status=200)
    smuggled = chunk(BODY) + b"0\r\nx: y\r\nx-request-id: " + SMUGGLED + b"\r\n\r\n"
    yield Row(name="chunk-trailer-request-id", data=head(CHUNKED) + smuggled, status=200)
    length = chunk(BODY) + b"0\r\ncontent-length: 5\r\n\r\n"
    yield Row(name="chunk-trailer-content-length", data=head(CHUNKED) + length, refused=True)
    key = chunk(BODY) + b"0\r\nauthorization: Bearer slw_000000000000_x\r\n\r\n"
    yield Row(name="chunk-trailer-authorization", data=head(CHUNKED) + key, status=200)
    long = chunk(BODY, b";" + b"e" * 20_000) + LAST
    yield Row(name="chunk-extension-20k", data=head(CHUNKED) + long)
    trailers = chunk(BODY) + b"0\r\n" + b"".join(b"t%d: v\r\n" % n for n in range(3000)) + b"\r\n"
    yield Row(name="chunk-3000-trailers", data=head(CHUNKED) + trailers)


def rows() -> tuple[Row, ...]:
    """The whole table."""
    import http_corpus_heads as heads

    parts = (
        *(_lengths(), _codings(), _chunks()),
        *(heads.starts(), heads.targets(), heads.headers(), heads.connections()),
    )
    return tuple(row for part in parts for row in part)
