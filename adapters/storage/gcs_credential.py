"""A service account of Google: tokens for calls, and V4 signatures for addresses.

The key file is Google's; of it, the account's name, the key and the key's number count. Where tokens are
asked for, the integration says, not the file.
"""

import asyncio
import base64
import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretBytes, SecretText

SCOPE: Final = "https://www.googleapis.com/auth/devstorage.read_write"
LIFETIME_S: Final = 3600
_EARLY_S: Final = 300
"""A token is replaced before it ends."""
_ALGORITHM: Final = "GOOG4-RSA-SHA256"


class ServiceKey:
    """The account's key; its `repr` names the account."""

    def __init__(self, email: str, key_id: str, key: RSAPrivateKey) -> None:
        self.email = email
        self._key_id = key_id
        self._key = key

    def __repr__(self) -> str:
        return f"ServiceKey({self.email})"

    def signed(self, content: bytes) -> bytes:
        """About a millisecond of CPU."""
        return self._key.sign(content, PKCS1v15(), SHA256())

    def assertion(self, audience: str, now_s: float) -> str:
        """What a token is asked for with (RFC 7523)."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self._key_id}
        claims = {
            "iss": self.email,
            "scope": SCOPE,
            "aud": audience,
            "iat": int(now_s),
            "exp": int(now_s) + LIFETIME_S,
        }
        content = f"{_encoded(head)}.{_encoded(claims)}"
        return f"{content}.{_bare(self.signed(content.encode()))}"


def service_key(text: SecretBytes) -> ServiceKey:
    """Raises InvalidConfiguration; nothing of the key is said."""
    param = "authentication.key"
    wrong = InvalidConfiguration(f"{param} is no key file of a service account", param=param)
    try:
        said: Any = json.loads(text.reveal())
        key = load_pem_private_key(said["private_key"].encode(), password=None)
        email, key_id = str(said["client_email"]), str(said.get("private_key_id", ""))
    except (ValueError, TypeError, KeyError, AttributeError):
        raise wrong from None
    if (
        not isinstance(key, RSAPrivateKey)
        or not 0 < len(email) <= 320
        or any(part.isspace() for part in email)
    ):
        raise wrong
    return ServiceKey(email, key_id, key)


class GcsTokens:
    """Asks for a token when there is none that lasts; many callers share one question."""

    def __init__(self, ask: Callable[[], Awaitable[tuple[str, float]]], now_s: Callable[[], float]) -> None:
        """`ask` gives a token, and for how many seconds it is good."""
        self._ask = ask
        self._now_s = now_s
        self._asking = asyncio.Lock()
        self._token: SecretText | None = None
        self._until_s = 0.0

    async def token(self, refused: SecretText | None = None) -> SecretText:
        """`refused`: not this one any more. Raises as the port."""
        if self._usable(refused) is None:
            async with self._asking:
                if self._usable(refused) is None:
                    text, lifetime_s = await self._ask()
                    self._token = SecretText(text)
                    self._until_s = self._now_s() + min(lifetime_s, LIFETIME_S)
        found = self._token
        assert found is not None
        return found

    def _usable(self, refused: SecretText | None) -> SecretText | None:
        found = self._token
        if found is None or found is refused or self._now_s() >= self._until_s - _EARLY_S:
            return None
        return found


class Signing(NamedTuple):
    """What a V4 signature is about. `path` is not encoded yet."""

    method: str
    authority: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """In lower case, besides `host`."""
    expires_s: int


def signed_query(key: ServiceKey, signing: Signing, now_s: float) -> str:
    """The query of a signed address, as Google's description of V4 signatures has it."""
    moment = datetime.fromtimestamp(now_s, UTC)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{moment.strftime('%Y%m%d')}/auto/storage/goog4_request"
    headers = {"host": signing.authority, **signing.headers}
    names = ";".join(sorted(headers))
    query = {
        **signing.query,
        "X-Goog-Algorithm": _ALGORITHM,
        "X-Goog-Credential": f"{key.email}/{scope}",
        "X-Goog-Date": stamp,
        "X-Goog-Expires": str(signing.expires_s),
        "X-Goog-SignedHeaders": names,
    }
    said = "&".join(
        f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(query.items())
    )
    request = "\n".join(
        [
            signing.method,
            quote(signing.path, safe="/~"),
            said,
            *(f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)),
            "",
            names,
            "UNSIGNED-PAYLOAD",
        ]
    )
    digest = hashlib.sha256(request.encode()).hexdigest()
    signature = key.signed("\n".join([_ALGORITHM, stamp, scope, digest]).encode()).hex()
    return f"{said}&X-Goog-Signature={signature}"


def _encoded(value: Mapping[str, object]) -> str:
    return _bare(json.dumps(value, separators=(",", ":")).encode())


def _bare(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
