"""Credentials of REST integrations: put into a request right before it is sent, and nowhere else."""

import base64
import binascii
import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Protocol

from adapters.rest.authentication_section import ApiKey, Basic, Bearer, Signed
from adapters.rest.draft import Draft
from application.ports.system import Clock
from domain.connectors.rest.percent import percent_encoded
from domain.connectors.rest.signing import signature, signed_bytes
from domain.errors import InvalidConfiguration
from domain.vault.secret import SecretBytes


class Credential(Protocol):
    """Belongs to one connector."""

    @abstractmethod
    async def prove(self, draft: Draft) -> None:
        """Adds what proves who asks. Raises IntegrationUnavailable, EgressRefused."""
        ...

    @abstractmethod
    async def renew(self, draft: Draft) -> bool:
        """The other side refused this request's proof; whether another try may have a better one. Raises as
        `prove`."""
        ...

    @abstractmethod
    def spellings(self) -> Sequence[str]:
        """Everything that must be seen by nobody, as it is sent."""
        ...

    @abstractmethod
    async def aclose(self) -> None: ...


class FixedCredential(Credential):
    """What does not change by itself: a refusal of it is final."""

    async def renew(self, draft: Draft) -> bool:
        del draft
        return False

    async def aclose(self) -> None:
        return None


class NoCredential(FixedCredential):
    async def prove(self, draft: Draft) -> None:
        del draft

    def spellings(self) -> Sequence[str]:
        return ()


class KeyInHeader(FixedCredential):
    """Also a bearer token, and a name with its password."""

    def __init__(self, name: str, value: str, secrets: Sequence[str]) -> None:
        self._name = name.lower()
        self._value = value
        self._secrets = tuple(secrets)

    async def prove(self, draft: Draft) -> None:
        draft.set_header(self._name, self._value)

    def spellings(self) -> Sequence[str]:
        return self._secrets


class KeyInQuery(FixedCredential):
    def __init__(self, name: str, key: str) -> None:
        self._name = percent_encoded(name)
        self._key = key
        self._encoded = percent_encoded(key)

    async def prove(self, draft: Draft) -> None:
        path, _, query = draft.target.partition("?")
        # A link to the next page may hold it already.
        pairs = [pair for pair in query.split("&") if pair and pair.partition("=")[0] != self._name]
        draft.target = f"{path}?{'&'.join([*pairs, f'{self._name}={self._encoded}'])}"

    def spellings(self) -> Sequence[str]:
        return (self._key, self._encoded)


class SignedRequests(FixedCredential):
    """An HMAC over parts of each request, made anew for each attempt."""

    def __init__(self, section: Signed, key: bytes, authority: str, clock: Clock) -> None:
        self._section = section
        self._key = key
        self._authority = authority
        self._clock = clock

    async def prove(self, draft: Draft) -> None:
        section = self._section
        path, _, query = draft.target.partition("?")
        now = self._clock.utc_now()
        if section.timestamp == "iso8601":
            at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        else:
            at = str(int(now.timestamp() * (1000 if section.timestamp == "milliseconds" else 1)))
        parts: Mapping[str, str | bytes] = {
            "method": draft.method,
            "path": path,
            "query": query,
            "target": draft.target,
            "host": self._authority,
            "timestamp": at,
            "body": draft.body,
            "body_sha256": _sha256(draft.body),
        }
        made = signature(
            self._key, section.algorithm, signed_bytes(section.signed, parts), encoding=section.encoding
        )
        if section.timestamp_header:
            draft.set_header(section.timestamp_header, at)
        draft.set_header(section.header, section.value.replace("{signature}", made))

    def spellings(self) -> Sequence[str]:
        text = self._key.decode("utf-8", "replace")
        return (text, self._key.hex(), base64.b64encode(self._key).decode())


def key_credential(section: ApiKey, secrets: Mapping[str, SecretBytes]) -> Credential:
    """Raises InvalidConfiguration."""
    key = header_secret(secrets, "key")
    if section.place == "query":
        return KeyInQuery(section.name, key)
    return KeyInHeader(section.name, section.prefix + key, (key,))


def bearer_credential(section: Bearer, secrets: Mapping[str, SecretBytes]) -> Credential:
    """Raises InvalidConfiguration."""
    del section
    token = header_secret(secrets, "token")
    return KeyInHeader("authorization", f"Bearer {token}", (token,))


def basic_credential(section: Basic, secrets: Mapping[str, SecretBytes]) -> Credential:
    """Raises InvalidConfiguration."""
    password = secret_text(secrets, "password")
    pair = base64.b64encode(f"{section.username}:{password}".encode()).decode()
    return KeyInHeader("authorization", f"Basic {pair}", (password, pair))


def signing_credential(
    section: Signed, secrets: Mapping[str, SecretBytes], authority: str, clock: Clock
) -> Credential:
    """Raises InvalidConfiguration."""
    text = secret_text(secrets, "key")
    try:
        if section.key_encoding == "hex":
            key = bytes.fromhex(text)
        elif section.key_encoding == "base64":
            key = base64.b64decode(text, validate=True)
        else:
            key = text.encode()
    except (ValueError, binascii.Error):
        raise InvalidConfiguration(
            f"authentication.key: is no {section.key_encoding}", param="authentication.key"
        ) from None
    return SignedRequests(section, key, authority, clock)


def secret_text(secrets: Mapping[str, SecretBytes], field: str) -> str:
    """A secret that has to be there. Raises InvalidConfiguration."""
    secret = secrets.get(field)
    try:
        text = "" if secret is None else secret.reveal().decode()
    except UnicodeDecodeError:
        raise InvalidConfiguration(
            f"authentication.{field}: is no text", param=f"authentication.{field}"
        ) from None
    if not text:
        raise InvalidConfiguration(
            f"authentication.{field}: has to be given", param=f"authentication.{field}"
        )
    return text


def header_secret(secrets: Mapping[str, SecretBytes], field: str) -> str:
    """A secret that a header can carry: one line of visible ASCII. Raises InvalidConfiguration."""
    text = secret_text(secrets, field).strip()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidConfiguration(
            f"authentication.{field}: must be one word of ASCII characters",
            param=f"authentication.{field}",
        )
    return text


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
