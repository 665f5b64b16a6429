"""How the worker says for whom it asks: in the Authorization header, behind its own key.

``Bearer slw_… for <who>``: one header decides who calls, it may come only once, and the gateway
accepts the second half from keys with the scope ``on-behalf`` alone. So a request is limited and
counted as the asker's without the asker's secret, and no other header can claim a tenant.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

_MARK = " for "


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Whose request it is. ``tenant`` empty: a call without a key; ``key_id`` empty: a token's."""

    tenant: str
    key_id: str = ""


def credential_for(secret: str, asker: Asker) -> str:
    """What follows ``Bearer``."""
    told = json.dumps([asker.tenant, asker.key_id], separators=(",", ":")).encode()
    return secret + _MARK + base64.urlsafe_b64encode(told).decode()


def read_credential(credential: str) -> tuple[str, Asker | None]:
    """The secret, and for whom it asks. Raises ValueError where that cannot be read."""
    secret, mark, told = credential.partition(_MARK)
    if not mark:
        return credential, None
    try:
        tenant, key_id = json.loads(base64.b64decode(told, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError("after ' for ' comes base64 of [tenant, key id]") from error
    if not isinstance(tenant, str) or not isinstance(key_id, str):
        raise ValueError("tenant and key id must be text")
    return secret, Asker(tenant=tenant, key_id=key_id)
