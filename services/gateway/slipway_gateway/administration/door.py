"""Who may administer, and with what: the way in of every route under ``/admin``.

A key or token with the ``admin`` endpoint scope, or a keyless call from this machine where keyless
calls are allowed. A keyless call that a web page could have made (an ``Origin`` of elsewhere, a
``Host`` that is not this machine) is none. Every caller becomes the ``Actor`` of the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Request

from slipway_gateway.errors import (
    BadRequest,
    Conflicting,
    EndpointForbidden,
    NoCapacity,
    NotThere,
)
from slipway_gateway.tenants.caller import Caller
from slipway_gateway.tenants.keys import is_loopback
from slipway_store import errors as store
from slipway_store.audit import Actor
from slipway_store.clean import refused_values
from slipway_store.connect import Pool
from slipway_store.keys import Endpoint

if TYPE_CHECKING:
    from slipway_gateway.app import Gateway

TIMEOUT = 5.0
T = TypeVar("T")
_UNSURE = "the database does not answer; look what was changed before you try again"
Admit = Callable[["Gateway", Request], Caller]


class Door:
    """``admit`` is the cold routes' own."""

    def __init__(self, gateway: Gateway, admit: Admit) -> None:
        self._gateway = gateway
        self._admit = admit

    @property
    def pepper(self) -> str:
        """For the hashes of new keys."""
        return self._gateway.keys.pepper

    def enter(self, request: Request) -> None:
        """Before anything else of the request is looked at. Raises Unauthenticated, Forbidden, or
        NoCapacity while keys cannot be checked."""
        caller = self._admit(self._gateway, request)
        caller.check_endpoint(Endpoint.ADMIN)
        if caller.keyless:
            _check_local(request)
        request.state.actor = Actor(name=caller.identity, request_id=request.state.request_id)

    def actor(self, request: Request) -> Actor:
        """Who came in."""
        actor = request.state.actor
        assert isinstance(actor, Actor)
        return actor

    async def ask(self, work: Callable[[Pool], Coroutine[Any, Any, T]]) -> T:
        """PostgreSQL's answer, or the GatewayError that says what was wrong."""
        pool = self._gateway.link.pool
        if pool is None:
            raise NoCapacity(
                "the database is away; nothing was changed; try again in a few seconds"
            )
        with _answers(), refused_values():
            working = asyncio.ensure_future(work(pool))
            try:
                # Not a timeout around the call: a frozen server must first agree to its end.
                done, _ = await asyncio.wait({working}, timeout=TIMEOUT)
                if done:
                    return working.result()
            except store.UNAVAILABLE as error:
                raise NoCapacity(_UNSURE) from error
            finally:
                working.cancel()
        raise NoCapacity(_UNSURE)


@contextmanager
def _answers() -> Iterator[None]:
    """The store's errors as the gateway's."""
    try:
        yield
    except store.NotFound as error:
        raise NotThere(str(error)) from None
    except (store.Conflict, store.AlreadyExists) as error:
        raise Conflicting(str(error)) from None
    except store.InvalidValue as error:
        raise BadRequest(str(error)) from None


def _check_local(request: Request) -> None:
    """Raises Forbidden for a keyless call that a browser makes for somebody else's page."""
    origin = request.headers.get("origin")
    hosts = [urlsplit(f"//{request.headers.get('host', '')}").hostname]
    if origin is not None:
        hosts.append(urlsplit(origin).hostname)
    if not all(host is not None and _is_here(host) for host in hosts):
        raise EndpointForbidden(
            "without a key /admin is for this machine only: call http://127.0.0.1, or send a key "
            "with the admin scope"
        )


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)
