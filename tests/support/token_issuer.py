"""An identity provider for tests: signs tokens and publishes its keys over HTTP, as a real one."""

from __future__ import annotations

import time
from typing import Any, Self

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa

ISSUER = "https://issuer.example"
AUDIENCE = "slipway"


class TokenIssuer:
    """``rotate`` makes another key the signing one; what is not ``published`` is not served."""

    def __init__(self) -> None:
        self._private: dict[str, Any] = {}
        self.published: list[str] = []
        self.fetched = 0
        self.url = ""
        self._runner: web.AppRunner | None = None
        self.rotate("first")

    def rotate(self, kid: str, *, curve: bool = False, publish: bool = True) -> None:
        """Sign with a new key from now on."""
        self._private[kid] = (
            ec.generate_private_key(ec.SECP256R1())
            if curve
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        self.kid = kid
        if publish:
            self.published.append(kid)

    def jwks(self) -> dict[str, Any]:
        """The public side."""
        keys = []
        for kid in self.published:
            private = self._private[kid]
            is_curve = isinstance(private, ec.EllipticCurvePrivateKey)
            maker = jwt.algorithms.ECAlgorithm if is_curve else jwt.algorithms.RSAAlgorithm
            public = maker.to_jwk(private.public_key(), as_dict=True)
            keys.append(public | {"kid": kid, "use": "sig"})
        return {"keys": keys}

    def token(self, *, kid: str = "", algorithm: str = "", **claims: Any) -> str:
        """A good token, or whatever ``claims`` make of it (None leaves one out)."""
        kid = kid or self.kid
        private = self._private[kid]
        is_curve = isinstance(private, ec.EllipticCurvePrivateKey)
        body = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "somebody",
            "tenant": "acme",
            "exp": time.time() + 600,
        } | claims
        return jwt.encode(
            {name: value for name, value in body.items() if value is not None},
            private,
            algorithm=algorithm or ("ES256" if is_curve else "RS256"),
            headers={"kid": kid},
        )

    async def __aenter__(self) -> Self:
        async def serve(request: web.Request) -> web.Response:
            self.fetched += 1
            return web.json_response(self.jwks())

        app = web.Application()
        app.router.add_get("/jwks", serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"http://127.0.0.1:{port}/jwks"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()
