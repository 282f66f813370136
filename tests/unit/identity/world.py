"""An issuer with keys, and what it signs: right, wrong and forged."""

import json
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from adapters.identity.discovery import Discovery
from adapters.identity.jwks import KeySets
from adapters.identity.jwt import SignedTokens
from application.ports.http import HttpRequest, HttpResponse, HttpTransport, TransportFailed, TransportStage
from application.ports.system import Clock
from application.role_book import RoleBook
from application.token_ring import TokenRing
from domain.tenancy.issuer import Issuer

ISSUER: Final = "https://id.example.com"
OTHER: Final = "https://id.example.org"
AUDIENCE: Final = "https://gateway.example.com"
START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
RSA: Final = RSAKey.generate_key(2048, private=True)
SECOND_RSA: Final = RSAKey.generate_key(2048, private=True)
EC: Final = ECKey.generate_key("P-256", private=True)
ED: Final = OKPKey.generate_key("Ed25519", private=True)
Key = RSAKey | ECKey | OKPKey


class TestClock(Clock):
    """Moved by hand."""

    __test__ = False

    def __init__(self) -> None:
        self.passed_s = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def utc_now(self) -> datetime:
        return START + timedelta(seconds=self.passed_s)


class _Answer(HttpResponse):
    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.headers = []
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def next_chunk(self) -> bytes:
        return await self.read()

    def close(self) -> None:
        return None


class Web(HttpTransport):
    """Serves documents by URL, and counts what is asked for; `away` breaks every connection."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.away = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        url = f"{request.endpoint.scheme}://{request.endpoint.authority}{request.path}"
        self.asked.append(url)
        if self.away:
            raise TransportFailed(TransportStage.CONNECT, "nobody answers")
        if url not in self.documents:
            return _Answer(404, b"{}")
        return _Answer(200, self.documents[url])

    async def aclose(self) -> None:
        return None


def public(key: Key, key_id: str, **more: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), "kid": key_id, "use": "sig", **more}


def issuer(**changed: Any) -> Issuer:
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "audiences": (AUDIENCE,),
        "algorithms": ("RS256", "ES256", "EdDSA"),
        "tenant": "acme",
        "roles": (("devs", "developer"), ("bots", "agent")),
    }
    return Issuer(**{**usual, **changed})


def claims(**changed: Any) -> dict[str, Any]:
    """Of a good token; None leaves one out."""
    now = int(START.timestamp())
    usual = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 3600,
        "roles": ["devs"],
        **changed,
    }
    return {name: value for name, value in usual.items() if value is not None}


def part(value: Mapping[str, Any] | bytes) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(said: Mapping[str, Any] | bytes | None = None, *, key: Any = RSA, **head: Any) -> str:
    """A token; header members are given by name, None leaves one out."""
    usual = {"alg": "RS256", "kid": "one", "typ": "at+jwt", **head}
    header = {name: value for name, value in usual.items() if value is not None}
    payload = said if isinstance(said, bytes) else json.dumps(claims() if said is None else said).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        return jws.serialize_compact(header, payload, key, algorithms=[header["alg"]])


class World:
    """A token ring that knows one issuer, whose documents stand in `web`."""

    def __init__(self, *issuers: Issuer) -> None:
        self.web, self.clock, self.roles = Web(), TestClock(), RoleBook()
        self.provider = Discovery(self.web, self.clock)
        self.keys = KeySets(self.web, self.provider, self.clock)
        self.verifier = SignedTokens(self.keys)
        self.ring = TokenRing(self.verifier, self.clock, self.roles)
        self.ring.use(issuers or (issuer(),))
        self.publish(public(RSA, "one"), public(EC, "ec"), public(ED, "ed"))
        self.publish(public(SECOND_RSA, "one"), at=OTHER)

    def publish(self, *keys: dict[str, Any], at: str = ISSUER) -> None:
        self.web.documents[f"{at}/.well-known/openid-configuration"] = json.dumps(
            {
                "issuer": at,
                "jwks_uri": f"{at}/jwks",
                "authorization_endpoint": f"{at}/authorize",
                "token_endpoint": f"{at}/token",
            }
        ).encode()
        self.web.documents[f"{at}/jwks"] = json.dumps({"keys": list(keys)}).encode()

    @property
    def fetched(self) -> int:
        """How often keys were asked for."""
        return sum(url.endswith("/jwks") for url in self.web.asked)
