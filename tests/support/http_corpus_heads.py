"""The other half of the hostile requests: start lines, targets, header lines, whole connections."""

from __future__ import annotations

from collections.abc import Iterator

from http_corpus import BODY, CHUNKED, HIDDEN, IN_CHUNKS, LAST, LENGTH, PATH, ROW, Row, head


def starts() -> Iterator[Row]:
    """Start lines: methods, versions, blanks."""
    bad = {
        "http-1.2": b"GET /health HTTP/1.2",
        "http-11": b"GET /health HTTP/11",
        "http-1": b"GET /health HTTP/1",
        "http-9.9": b"GET /health HTTP/9.9",
        "http-1.10": b"GET /health HTTP/1.10",
        "http-plus": b"GET /health HTTP/+1.1",
        "lower-case-http": b"GET /health http/1.1",
        "icy": b"GET /health ICE/1.1",
        "https": b"GET /health HTTPS/1.1",
        "two-targets": b"GET /health /v1/models HTTP/1.1",
        "no-target": b"GET HTTP/1.1",
        "lower-case-method": b"get /health HTTP/1.1",
        "unknown-method": b"COW /health HTTP/1.1",
        "long-method": b"A" * 5000 + b" /health HTTP/1.1",
        "method-colon": b"GET: /health HTTP/1.1",
        "method-nul": b"GE\0T /health HTTP/1.1",
        "leading-space": b" GET /health HTTP/1.1",
        "tabs": b"GET\t/health\tHTTP/1.1",
        "tail": b"GET /health HTTP/1.1 x",
        "nul-target": b"GET /hea\0lth HTTP/1.1",
        "cr-target": b"GET /hea\rlth HTTP/1.1",
        "high-bit-method": b"G\xc9T /health HTTP/1.1",
        "pri": b"PRI * HTTP/2.0",
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "ssh": b"SSH-2.0-OpenSSH_9.9",
        "nothing": b"\0" * 64,
        "proxy-protocol": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2",
    }
    for name, start in bad.items():
        yield Row(name=f"start-{name}", data=head(start=start), refused=True)
    # llhttp takes these; no answer of ours may keep such a connection.
    for name, start in {
        "http-0.9": b"GET /health",
        "http-2.0": b"GET /health HTTP/2.0",
        "rtsp": b"DESCRIBE /health RTSP/1.0",
    }.items():
        yield Row(name=f"start-{name}", data=head(start=start))
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"
    yield Row(name="start-http2-preface", data=preface, refused=True)
    yield Row(name="start-blank-lines", data=b"\r\n\r\n" + head(LENGTH) + BODY, status=200)
    yield Row(name="start-many-blank-lines", data=b"\r\n" * 200 + head(LENGTH) + BODY)
    yield Row(name="start-two-spaces", data=head(start=b"GET  /health HTTP/1.1"))
    yield Row(name="start-bare-lf", data=head(LENGTH).replace(b"\r\n", b"\n") + BODY)
    yield Row(name="start-bare-cr", data=head(LENGTH).replace(b"\r\n", b"\r") + BODY, refused=True)
    yield Row(name="start-target-60k", data=head(start=b"GET /" + b"a" * 60_000 + b" HTTP/1.1"))
    for method in (b"OPTIONS", b"TRACE", b"DELETE", b"PUT", b"PATCH", b"PROPFIND", b"HEAD"):
        start = method + b" " + PATH + b" HTTP/1.1"
        yield Row(name=f"method-{method.decode()}", data=head(start=start), status=405)
    query = head(LENGTH, start=b"QUERY " + PATH + b" HTTP/1.1") + BODY
    yield Row(name="method-QUERY", data=query)
    connect = head(start=b"CONNECT example.org:443 HTTP/1.1")
    yield Row(name="method-CONNECT", data=connect)
    yield Row(name="method-CONNECT-hides", data=connect + HIDDEN)
    yield Row(name="options-star", data=head(start=b"OPTIONS * HTTP/1.1"))
    for name, line in {"": LENGTH, "-keep-alive": b"connection: keep-alive"}.items():
        start = b"POST " + PATH + b" HTTP/1.0"
        lines = (line,) if line == LENGTH else (line, LENGTH)
        yield Row(name=f"http-1.0{name}", data=head(*lines, start=start) + BODY, status=200)
        # Answered before what came with it is parsed.
        no_json = head(*lines, start=start) + BODY.replace(b"echo", b"e\x17ho")
        yield Row(name=f"http-1.0{name}-no-json", data=no_json, status=400)
    closing = head(LENGTH, b"connection: close") + BODY.replace(b"echo", b"e\x17ho")
    yield Row(name="close-no-json", data=closing, status=400)


def targets() -> Iterator[Row]:
    """The path as other software would normalise it; the route must be the dispatched one's."""
    known = {
        "query": (PATH + b"?a=b", 200),
        "query-empty": (PATH + b"?", 200),
        "query-slashes": (PATH + b"?/../../health", 200),
        "query-two": (PATH + b"??x", 200),
        "absolute": (b"http://elsewhere" + PATH, 200),
        "absolute-port": (b"http://elsewhere:81" + PATH + b"?x=/health", 200),
        "absolute-upper": (b"HTTP://ELSEWHERE" + PATH, 200),
        "double-slash": (b"/" + PATH, 404),
        "inner-double-slash": (b"/v1//chat/completions", 404),
        "slash-tail": (PATH + b"/", 404),
        "dot": (b"/./v1/chat/completions", 404),
        "dots": (b"/x/.." + PATH, 404),
        "dots-up": (b"/.." + PATH, 404),
        "encoded-dots": (b"/x/%2e%2e" + PATH, 404),
        "params": (PATH + b";a=b", 404),
        "params-inside": (b"/v1;x/chat/completions", 404),
        "backslash": (b"/v1\\chat\\completions", 404),
        "case": (b"/V1/Chat/Completions", 404),
        "nul-encoded": (PATH + b"%00", 404),
        "newline-encoded": (PATH + b"%0a", 404),
        "bad-percent": (PATH + b"%zz", 404),
        "cut-percent": (PATH + b"%", 404),
        "twice-encoded": (b"/v1%252fchat%252fcompletions", 404),
        "overlong-slash": (b"/v1%c0%afchat/completions", 404),
        "not-utf-8": (PATH + b"%ff", 404),
        "plus": (b"/v1+chat/completions", 404),
        "userinfo": (b"http://a:b@c" + PATH, 200),
    }
    for name, (target, status) in known.items():
        start = b"POST " + target + b" HTTP/1.1"
        yield Row(name=f"target-{name}", data=head(LENGTH, start=start) + BODY, status=status)
    open_ones = {
        "encoded-slash": b"/v1%2fchat%2Fcompletions",
        "encoded-letter": b"/v1/ch%61t/completions",
        "fragment": PATH + b"#frag",
        "fragment-query": b"/health#" + PATH,
        "raw-utf-8": "/v1/ч".encode(),
        "absolute-no-path": b"http://elsewhere",
        "absolute-query": b"http://elsewhere?x",
        "other-scheme": b"ftp://elsewhere" + PATH,
        "file": b"file:///etc/passwd",
        "star": b"*",
        "authority": b"elsewhere:80",
        "relative": b"v1/chat/completions",
        "empty-host": b"http://" + PATH,
        "bad-port": b"http://x:99999" + PATH,
        "ipv6": b"http://[::1]" + PATH,
        "only-query": b"?x=1",
        "javascript": b"javascript:alert(1)",
        "quote": PATH + b'"><',
        "vertical-tab": PATH + b"\x0b",
        "high-bit": PATH + b"\xff",
        "nul-host": b"http://a%00b" + PATH,
        "at": b"@" + PATH,
        "long-query": PATH + b"?" + b"q" * 3000,
        "many-slashes": b"/" * 2000,
        "dots-many": b"/.." * 600,
    }
    for name, target in open_ones.items():
        start = b"POST " + target + b" HTTP/1.1"
        yield Row(name=f"target-{name}", data=head(LENGTH, start=start) + BODY)


def headers() -> Iterator[Row]:
    """Header lines."""
    bad = {
        "space-before-colon": b"x-a : b",
        "tab-before-colon": b"x-a\t: b",
        "no-colon": b"x-a",
        "empty-name": b": b",
        "nul-name": b"x\0a: b",
        "nul-value": b"x-a: b\0c",
        "cr-value": b"x-a: b\rc",
        "cr-smuggles": b"x-a: b\rx-b: c",
        "space-in-name": b"x a: b",
        "utf-8-name": "x-ä: b".encode(),
        "bracket-name": b"x[a]: b",
        "fold-first": b" x-a: b",
        "fold": b"x-a: b\r\n c",
        "fold-tab": b"x-a: b\r\n\tc",
        "fold-empty": b"x-a: b\r\n \r\n c",
        "bell": b"x-a: b\x07c",
        "delete": b"x-a: b\x7fc",
        "cr-cr-lf": b"x-a: b\r",
    }
    for name, line in bad.items():
        yield Row(name=f"header-{name}", data=head(line, LENGTH) + BODY, refused=name != "cr-cr-lf")
    lf = head(b"x-a: b\nx-b: c", LENGTH) + BODY
    yield Row(name="header-bare-lf", data=lf)
    good = {
        "empty-value": b"x-a:",
        "latin-1": b"x-a: \xe9\xff",
        "no-space": b"x-a:b",
        "tabs-around": b"x-a:\t b \t",
        "odd-name": b"!#$%&'*+-.^_`|~: b",
        "colons": b"x-a: b: c",
        "crowd": b"\r\n".join(b"x-%d: y" % n for n in range(80)),
        "long": b"x-a: " + b"y" * 2500,
        "forwarded-host": b"x-forwarded-host: evil",
        "method-override": b"x-http-method-override: GET",
        "rewrite": b"x-original-url: /health",
        "transfer-te": b"te: trailers, chunked",
        "host-evil": b"x-host: evil",
        "close-token-list": b"connection: keep-alive, x-a",
        "accept-gzip": b"accept-encoding: gzip, br",
        "range": b"range: bytes=0-1",
        "if-none-match": b"if-none-match: *",
        "cookie": b"cookie: a=b; c=d",
        "date": b"date: never",
        "content-type-odd": b"content-type: text/plain",
        "content-md5": b"content-md5: x",
    }
    for name, line in good.items():
        yield Row(name=f"header-{name}", data=head(line, LENGTH) + BODY, status=200)
    for name, lines in {
        "request-id-twice": (b"x-request-id: other",),
        "conversation-twice": (b"x-conversation-id: a", b"x-conversation-id: b"),
        "authorization-twice": (b"authorization: Bearer a", b"authorization: Bearer b"),
        "content-type-twice": (b"content-type: application/json", b"content-type: text/plain"),
    }.items():
        yield Row(name=f"header-{name}", data=head(*lines, LENGTH) + BODY, status=400)
    yield Row(name="header-host-missing", data=head(LENGTH, host=False) + BODY)
    yield Row(name="header-host-twice", data=head(b"host: y", LENGTH) + BODY)
    yield Row(name="header-host-odd", data=head(b"host: a b/\\@", LENGTH, host=False) + BODY)
    yield Row(name="header-content-encoding", data=head(b"content-encoding: gzip", LENGTH) + BODY)
    many = b"\r\n".join(b"x-%d: y" % n for n in range(1000))
    yield Row(name="header-1000", data=head(many, LENGTH) + BODY, status=431)
    yield Row(name="header-60k", data=head(b"x-a: " + b"y" * 60_000, LENGTH) + BODY, status=431)
    yield Row(name="header-name-60k", data=head(b"y" * 60_000 + b": a", LENGTH) + BODY, status=431)
    for name, value in {
        "line": b"a\tb",
        "long": b"i" * 500,
        "odd": b"a b",
        "empty": b"",
        "latin": b"\xe9",
        "markup": b"<script>",
        "json": b'"},{"',
        "sql": b"' or 1=1--",
    }.items():
        raw = head(LENGTH).replace(b"x-request-id: " + ROW, b"x-request-id: " + value)
        yield Row(name=f"request-id-{name}", data=raw + BODY, status=200)


def connections() -> Iterator[Row]:
    """Expect, Upgrade, pipelines, what follows a message."""
    expect = b"expect: 100-continue"
    whole = head(LENGTH) + BODY
    yield Row(name="expect-continue", data=head(expect, LENGTH) + BODY, status=200)
    yield Row(name="expect-case", data=head(b"Expect: 100-CONTINUE", LENGTH) + BODY, status=200)
    yield Row(name="expect-odd", data=head(b"expect: 200-maybe", LENGTH) + BODY)
    yield Row(name="expect-without-body", data=head(expect), status=400)
    yield Row(name="expect-chunked", data=head(expect, CHUNKED) + IN_CHUNKS + LAST, status=200)
    upgrade = (b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-version: 13")
    yield Row(name="upgrade-websocket", data=head(*upgrade, start=b"GET /health HTTP/1.1"))
    yield Row(name="upgrade-websocket-post", data=head(*upgrade, LENGTH) + BODY)
    h2c = (b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk")
    yield Row(name="upgrade-h2c", data=head(*h2c, LENGTH) + BODY)
    yield Row(name="upgrade-h2c-hides", data=head(*h2c, start=b"GET /health HTTP/1.1") + HIDDEN)
    yield Row(name="upgrade-alone", data=head(b"upgrade: h2c", LENGTH) + BODY, status=200)
    yield Row(name="pipeline-two", data=whole + HIDDEN, status=200)
    yield Row(name="pipeline-ten", data=whole + HIDDEN * 9, status=200)
    yield Row(
        name="pipeline-cold-hot", data=head(start=b"GET /health HTTP/1.1") + HIDDEN, status=200
    )
    yield Row(name="pipeline-head", data=head(start=b"HEAD /health HTTP/1.1") + HIDDEN)
    yield Row(name="pipeline-then-garbage", data=whole + b"garbage\r\n\r\n", status=200)
    yield Row(name="pipeline-then-half", data=whole + HIDDEN[:60], status=200)
    yield Row(name="pipeline-then-bad-length", data=whole + head(b"content-length: -1"), status=200)
    broken = head(CHUNKED) + b"zz\r\n"
    yield Row(name="pipeline-then-bad-chunk", data=whole + broken, status=200)
    late = HIDDEN.replace(b"content-length", b"connection: close\r\ncontent-length")
    yield Row(name="pipeline-then-close", data=whole + late, status=200)
    yield Row(name="close-then-request", data=head(b"connection: close", LENGTH) + BODY + HIDDEN)
    for name, value in {
        "CLOSE": b"CLOSE",
        "list": b"x, close",
        "both": b"close, keep-alive",
    }.items():
        data = head(b"connection: " + value, LENGTH) + BODY
        yield Row(name=f"connection-{name}", data=data, status=200)
    yield Row(name="blank-lines-between", data=whole + b"\r\n\r\n\r\n", status=200)
    yield Row(name="nul-between", data=whole + b"\0", status=200)
    yield Row(name="head-only-half", data=head(LENGTH)[:40])
    yield Row(name="nothing-but-a-line-end", data=b"\r\n")
    key = b"authorization: Bearer slw_x"
    yield Row(name="early-refusal-with-body", data=head(key, LENGTH) + BODY, status=401)
    yield Row(name="unknown-model", data=whole.replace(b'"echo"', b'"ecko"'), status=404)
    yield Row(name="bad-json", data=whole.replace(b'"messages"', b'"messages '), status=400)
    yield Row(name="deep-json", data=deep(), status=400)
    nope = head(LENGTH, start=b"POST /nope HTTP/1.1")
    yield Row(name="not-found", data=nope + BODY, status=404)
    cold = head(CHUNKED, start=b"POST /nope HTTP/1.1")
    yield Row(name="not-found-bad-chunk", data=cold + b"zz\r\n")


def deep() -> bytes:
    """A body of nested lists, within the limit of bytes."""
    body = b"[" * 1500 + b"]" * 1500
    return head(b"content-length: %d" % len(body)) + body
