"""What goes wrong in a gateway, and how each case is answered.

::

    GatewayError                    status, OpenAI type and code, optional Retry-After
    ├── BadRequest          400     the client's JSON or framing
    ├── SchemaViolation     422     well-formed, wrong fields (OpenAI's 400 under /v1)
    ├── Unauthenticated     401
    ├── Forbidden           403     a key that may not use this Model
    │   └── EndpointForbidden       or not this endpoint
    ├── UnknownModel        404
    ├── UnknownQuestion     404     or another tenant's
    ├── NotThere            404     no tenant or key has this name
    ├── Conflicting         409     its state does not allow this, or the name is taken
    ├── NotServed           404     no such route, or not with this method (405)
    ├── TooLarge            413
    ├── UnsupportedMedia    415
    ├── RequestTimeout      408     the request itself came too slowly
    ├── RateLimited         429     a limit of the key or tenant is reached; Retry-After
    ├── NoCapacity          503     nothing serves, or nothing is known yet; Retry-After
    └── BackendError                an attempt at a backend failed
        ├── BackendUnreachable 503  it never took the request: may be tried elsewhere
        ├── BackendBroken      502  it broke off, or answered what is no answer
        └── BackendTimeout     504

Messages are for the caller and never hold a key, a prompt or an internal address.
"""

from __future__ import annotations

from typing import Any, ClassVar


class GatewayError(Exception):
    """Base. ``detail`` is FastAPI's list of field errors where there is one."""

    status: ClassVar[int] = 500
    kind: str = "server_error"
    code: ClassVar[str] = "internal_error"
    retry_after: int | None = None

    def __init__(self, message: str, *, param: str | None = None, detail: Any = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.detail = detail


class BadRequest(GatewayError):
    """The body is not JSON, or a header cannot be read."""

    status = 400
    kind = "invalid_request_error"
    code = "bad_request"


class SchemaViolation(GatewayError):
    """The JSON has wrong fields; ``param`` names the first."""

    status = 422
    kind = "invalid_request_error"
    code = "invalid_field"


class Unauthenticated(GatewayError):
    """No key, or one that is unknown, expired or revoked."""

    status = 401
    kind = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GatewayError):
    """The key does not reach this Model."""

    status = 403
    kind = "permission_error"
    code = "model_not_allowed"


class EndpointForbidden(Forbidden):
    """The key does not reach this endpoint."""

    code = "endpoint_not_allowed"


class UnknownModel(GatewayError):
    """No route has this public name. A key that was sent in a name's place is not said again."""

    def __init__(self, model: str) -> None:
        name = "of that name" if "slw_" in model.lower() else repr(model)
        super().__init__(f"there is no model {name}; see /v1/models", param="model")

    status = 404
    kind = "invalid_request_error"
    code = "model_not_found"


class UnknownQuestion(GatewayError):
    """Nobody of this tenant asked a question with this id."""

    status = 404
    kind = "invalid_request_error"
    code = "question_not_found"


class NotThere(GatewayError):
    """Nothing has this name; the message says how to list what there is."""

    status = 404
    kind = "invalid_request_error"
    code = "not_found"


class Conflicting(GatewayError):
    """The state of the thing does not allow it, or its name is taken."""

    status = 409
    kind = "invalid_request_error"
    code = "conflict"


class NotServed(GatewayError):
    """No route has this path, or not with this method."""

    status = 404
    kind = "invalid_request_error"
    code = "not_found"


class TooLarge(GatewayError):
    """The body is over ``body_limit``."""

    status = 413
    kind = "invalid_request_error"
    code = "body_too_large"


class UnsupportedMedia(GatewayError):
    """A compressed body or another type than JSON."""

    status = 415
    kind = "invalid_request_error"
    code = "unsupported_media_type"


class RequestTimeout(GatewayError):
    """The body did not arrive within ``body_timeout``."""

    status = 408
    kind = "invalid_request_error"
    code = "request_timeout"


class RateLimited(GatewayError):
    """A limit of the key or its tenant. ``kind`` is OpenAI's: "requests" or "tokens".

    ``headers``: the ``x-ratelimit-*`` headers that go with the answer. ``is_leasing``: something is
    free, and the next chunk of it is on its way here: a moment later the answer may be another one.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(
        self,
        message: str,
        *,
        kind: str = "requests",
        param: str | None = None,
        retry_after: int = 1,
        headers: tuple[tuple[bytes, bytes], ...] = (),
        is_leasing: bool = False,
    ) -> None:
        super().__init__(message, param=param)
        self.is_leasing = is_leasing
        self.kind = kind
        self.retry_after = retry_after
        self.headers = headers


class NoCapacity(GatewayError):
    """Nothing serves this Model now."""

    status = 503
    kind = "server_error"
    code = "no_capacity"
    retry_after = 5


class BackendError(GatewayError):
    """An attempt at a backend failed."""

    status = 502
    kind = "server_error"
    code = "upstream_error"


class BackendUnreachable(BackendError):
    """The backend never took the request, so it may be asked elsewhere."""

    status = 503
    code = "upstream_unavailable"
    retry_after = 1


class BackendBroken(BackendError):
    """The backend broke off, or what it sent is not an answer."""

    code = "upstream_broken"


class BackendTimeout(BackendError):
    """The backend did not answer in time."""

    status = 504
    code = "upstream_timeout"
