"""The transit engine of HashiCorp Vault or OpenBao wraps data keys: its master keys never leave it.

A key of the vault is one version of one transit key: `transit/<mount>/<name>/v<version>`. The address of a
credential goes along as associated data, without which nothing unwraps. The engine's own `rewrap` cannot
change associated data, and the version is part of ours, so a rotation unwraps and wraps.
"""

import asyncio
import base64
import binascii
import ipaddress
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from application.ports.http import Endpoint, HttpRequest, HttpTransport, TransportFailed
from application.ports.vault import KeyEncryption
from domain.errors import Conflict, CredentialDamaged, InvalidRequest, NotFound, VaultLocked
from domain.vault.credential import canonical
from domain.vault.rotation import KeyInfo, KeyList
from domain.vault.secret import SecretBytes, SecretText

ANSWER_BYTES_MAX: Final = 1024 * 1024
CONNECT_TIMEOUT_S: Final = 3.0
_TOKEN_BYTES_MAX: Final = 8192
_POLICY: Final = "disallowed by policy"

ReadToken = Callable[[], SecretText]


def token_from(token: str, file: Path | None) -> ReadToken:
    """The token itself, or a file that somebody keeps fresh and that is read for each call."""
    fixed = SecretText(token)

    def read() -> SecretText:
        if file is None:
            return fixed
        try:
            with file.open("rb") as source:
                return SecretText(source.read(_TOKEN_BYTES_MAX).decode("ascii", "replace").strip())
        except OSError as error:
            raise VaultLocked(f"{file} cannot be read: {error.strerror or error}") from error

    return read


class TransitKeys(KeyEncryption):
    """One transit key with its versions: the newest seals. Its type must authenticate associated data, as
    aes256-gcm96 and chacha20-poly1305 do."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        url: str,
        mount: str,
        key_name: str,
        namespace: str | None,
        token: ReadToken,
        timeout_s: float,
    ) -> None:
        """Raises InvalidRequest for an address that is not https, loopback aside: data keys travel there."""
        self._transport = transport
        self._endpoint, self._base = _address(url)
        self._mount, self._name = mount, key_name
        self._namespace = namespace
        self._token = token
        self._timeout_s = timeout_s

    async def keys(self) -> KeyList:
        data = await self._ask("GET", f"keys/{self._name}")
        newest, oldest = int(data["latest_version"]), int(data.get("min_decryption_version") or 1)
        made = data.get("keys") or {}
        infos = [
            KeyInfo(self._key_id(version), _made_at(made.get(str(version))))
            for version in range(newest, oldest - 1, -1)
        ]
        return KeyList(tuple(infos), True)

    async def add_key(self, now: datetime) -> str:
        del now
        await self._ask("POST", f"keys/{self._name}/rotate", {})
        return (await self.keys()).primary.key_id

    async def drop_key(self, key_id: str) -> None:
        """Raises `min_decryption_version`: the engine archives versions from the oldest on, and an
        administrator may trim them."""
        known = [key.key_id for key in (await self.keys()).keys]
        if key_id not in known:
            raise NotFound(f"no key {key_id[:80]!r} among the vault's", param="key_id")
        if known[0] == key_id:
            raise Conflict(f"{key_id} is the key that seals; rotate first")
        if known[-1] != key_id:
            raise Conflict(f"transit drops its oldest version first: {known[-1]}")
        await self._ask(
            "POST", f"keys/{self._name}/config", {"min_decryption_version": self._version(key_id) + 1}
        )

    async def wrap(self, key_id: str, data_key: SecretBytes, context: Mapping[str, str]) -> bytes:
        asked = {
            "plaintext": base64.b64encode(data_key.reveal()).decode(),
            "associated_data": base64.b64encode(canonical(context)).decode(),
            "key_version": self._version(key_id),
        }
        text = str((await self._ask("POST", f"encrypt/{self._name}", asked)).get("ciphertext", ""))
        if not text.startswith(f"vault:v{self._version(key_id)}:"):
            raise VaultLocked("transit wrapped with another version than was asked for")
        return text.encode()

    async def unwrap(self, key_id: str, wrapped: bytes, context: Mapping[str, str]) -> SecretBytes:
        text = wrapped.decode("ascii", "replace")
        if not text.startswith(f"vault:v{self._version(key_id)}:"):
            raise CredentialDamaged(f"a data key under {key_id} does not unwrap")
        asked = {
            "ciphertext": text,
            "associated_data": base64.b64encode(canonical(context)).decode(),
        }
        data = await self._ask("POST", f"decrypt/{self._name}", asked)
        try:
            return SecretBytes(base64.b64decode(str(data.get("plaintext", "")), validate=True))
        except (ValueError, binascii.Error):
            raise CredentialDamaged(f"a data key under {key_id} does not unwrap") from None

    def _key_id(self, version: int) -> str:
        return f"transit/{self._mount}/{self._name}/v{version}"

    def _version(self, key_id: str) -> int:
        start = f"transit/{self._mount}/{self._name}/v"
        number = key_id.removeprefix(start)
        if not key_id.startswith(start) or not number.isdecimal():
            raise VaultLocked(f"{key_id[:200]} is no version of {start.removesuffix('/v')}")
        return int(number)

    async def _ask(self, method: str, path: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
        token = await asyncio.to_thread(self._token)
        headers = [("x-vault-token", token.reveal()), ("x-vault-request", "true")]
        if self._namespace is not None:
            headers.append(("x-vault-namespace", self._namespace))
        if asked is not None:
            headers.append(("content-type", "application/json"))
        request = HttpRequest(
            method,
            self._endpoint,
            f"{self._base}/v1/{quote(self._mount)}/{quote(path)}",
            headers,
            b"" if asked is None else json.dumps(asked).encode(),
            connect_timeout_s=CONNECT_TIMEOUT_S,
            total_timeout_s=self._timeout_s,
        )
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._exchange(request)
        except TransportFailed as error:
            raise VaultLocked(f"transit cannot be asked: {error.message}", retry_after_s=1.0) from error
        except TimeoutError:
            raise VaultLocked(
                f"transit did not answer within {self._timeout_s:g} s", retry_after_s=1.0
            ) from None
        return _data(path, status, body)

    async def _exchange(self, request: HttpRequest) -> tuple[int, bytes]:
        response = await self._transport.send(request)
        try:
            parts: list[bytes] = []
            size = 0
            while chunk := await response.next_chunk():
                size += len(chunk)
                if size > ANSWER_BYTES_MAX:
                    raise VaultLocked("transit answered with too much")
                parts.append(chunk)
            return response.status, b"".join(parts)
        finally:
            response.close()


def _data(path: str, status: int, body: bytes) -> dict[str, Any]:
    """What was answered. What the engine says of an error is not passed on: it may quote what it was sent."""
    try:
        said = json.loads(body) if body else {}
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    if status in (200, 204):
        data = said.get("data")
        return data if isinstance(data, dict) else {}
    if status == 400 and path.startswith("decrypt/") and _POLICY not in str(said.get("errors")):
        raise CredentialDamaged("transit does not unwrap a data key")
    raise VaultLocked(f"transit refused {path.partition('/')[0]} with status {status}", retry_after_s=1.0)


def _address(url: str) -> tuple[Endpoint, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise InvalidRequest("vault.transit.url must be an https:// address", param="vault.transit.url")
    if parts.scheme == "http" and not _is_loopback(host):
        raise InvalidRequest(
            "vault.transit.url must be https: data keys travel there", param="vault.transit.url"
        )
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Endpoint(parts.scheme, host, port), parts.path.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _made_at(said: object) -> datetime | None:
    """Symmetric keys say a Unix time, others an object with a text."""
    return datetime.fromtimestamp(said, UTC) if isinstance(said, int) else None
