"""Who calls, from the head of a request: used by the hot path and by the cold routes alike."""

from __future__ import annotations

from slipway_gateway.hotpath.head import Head
from slipway_gateway.tenants.keys import Caller, Keys


def admit(keys: Keys, head: Head, client: tuple[str, int] | None, now: float) -> Caller:
    """Raises BadRequest (a header twice), Unauthenticated or NoCapacity. ``client``: address, port.
    ``now``: monotonic seconds.

    Behind a proxy on this machine everybody seems to call from loopback, so a forwarded call is
    never a keyless one.
    """
    head.check()
    address = "" if client is None or head.forwarded else client[0]
    return keys.admit(head.authorization, address, now)
