"""Issuers' keys: fetched, kept for a bounded time, and asked for again when an unknown one is named."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from adapters.identity.fetching import Fetching
from application.ports.http import HttpTransport
from application.ports.system import Clock
from application.ports.token_verifier import IdentityProvider
from domain.errors import InvalidToken, StoreUnavailable
from domain.tenancy.issuer import KEY_ID_CHARS_MAX, Issuer

log = logging.getLogger("interchange")

REFRESH_AFTER_S: Final = 600.0
STALE_S_MAX: Final = 3600.0
"""While an issuer is away its keys serve so long; one it withdrew meanwhile is among them."""
ASKED_AGAIN_AFTER_S: Final = 30.0
"""Whatever key ids callers make up, an issuer is asked no more often."""
KEYS_MAX: Final = 64
RSA_BITS_MIN: Final = 2048
_CURVES: Final = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519"}
_PUBLIC: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
"""Members that are taken of a key; whatever else stands there is left."""

PublicKey = RSAKey | ECKey | OKPKey


class _Key(NamedTuple):
    key_id: str
    kind: str
    curve: str
    algorithm: str
    key: PublicKey


class _KeySet:
    """One issuer's keys, and when they were had and asked for."""

    def __init__(self, keys_url: str) -> None:
        self.keys_url = keys_url
        self.keys: tuple[_Key, ...] = ()
        self.fetched_at_s: float | None = None
        self.asked_at_s: float | None = None
        self.asking = asyncio.Lock()


class KeySets:
    """Belongs to one event loop. One request per issuer at a time; whoever else waits takes its outcome."""

    def __init__(self, transport: HttpTransport, provider: IdentityProvider, clock: Clock) -> None:
        self._fetching = Fetching(transport)
        self._provider = provider
        self._clock = clock
        self._sets: dict[str, _KeySet] = {}

    async def key(self, issuer: Issuer, algorithm: str, key_id: str) -> PublicKey:
        """The key a token names, of the kind its algorithm needs.

        Raises:
            InvalidToken: this issuer has no such key.
            StoreUnavailable: its keys were not to be had for too long.
        """
        known = self._sets.get(issuer.issuer)
        if known is None or known.keys_url != issuer.keys_url:
            known = self._sets[issuer.issuer] = _KeySet(issuer.keys_url)
        if self._age_s(known) > REFRESH_AFTER_S:
            await self._refresh(issuer, known)
        found = _chosen(known.keys, algorithm, key_id)
        if found is None:
            await self._refresh(issuer, known)
            found = _chosen(known.keys, algorithm, key_id)
        if self._age_s(known) > STALE_S_MAX:
            raise StoreUnavailable(
                "tokens cannot be checked: the issuer's keys cannot be had",
                retry_after_s=ASKED_AGAIN_AFTER_S,
            )
        if found is None:
            raise InvalidToken("this token is signed with a key that its issuer does not have")
        return found

    async def usable(self, issuer: Issuer) -> int:
        """How many keys of this issuer fit what it signs with; asks it now.

        Raises StoreUnavailable.
        """
        url = issuer.keys_url or (await self._provider.facts(issuer)).keys_url
        keys = _read(issuer, await self._fetching.get(url))
        return sum(any(_fits(each, name) for name in issuer.algorithms) for each in keys)

    def _age_s(self, known: _KeySet) -> float:
        return float("inf") if known.fetched_at_s is None else self._clock.monotonic() - known.fetched_at_s

    async def _refresh(self, issuer: Issuer, known: _KeySet) -> None:
        """Asks the issuer, unless somebody just did. What cannot be had changes nothing."""
        async with known.asking:
            now = self._clock.monotonic()
            if known.asked_at_s is not None and now - known.asked_at_s < ASKED_AGAIN_AFTER_S:
                return
            known.asked_at_s = now
            try:
                url = issuer.keys_url or (await self._provider.facts(issuer)).keys_url
                found = _read(issuer, await self._fetching.get(url))
            except StoreUnavailable:
                return  # told in the log; whether that matters is a question of age
            except BaseException:
                known.asked_at_s = None  # cancelled: the next one asks
                raise
            known.keys, known.fetched_at_s = found, now


def _chosen(keys: tuple[_Key, ...], algorithm: str, key_id: str) -> PublicKey | None:
    """The one key that fits; None where none does, or where no id says which of several."""
    fitting = [each.key for each in keys if _fits(each, algorithm) and (not key_id or each.key_id == key_id)]
    return fitting[0] if len(fitting) == 1 else None


def _fits(key: _Key, algorithm: str) -> bool:
    kind = "RSA" if algorithm[:2] in ("RS", "PS") else "OKP" if algorithm == "EdDSA" else "EC"
    return key.kind == kind and key.curve == _CURVES.get(algorithm, "") and key.algorithm in ("", algorithm)


def _read(issuer: Issuer, document: Mapping[str, Any]) -> tuple[_Key, ...]:
    listed = document.get("keys")
    if not isinstance(listed, list):
        log.warning("the keys of %s are no key set", issuer.issuer)
        raise StoreUnavailable("tokens cannot be checked: the issuer's keys cannot be read")
    found = [key for each in listed[:KEYS_MAX] if (key := _key(each)) is not None]
    if len(listed) > KEYS_MAX:
        log.warning("%s has more than %d keys; the rest is not looked at", issuer.issuer, KEYS_MAX)
    return tuple(found)


def _key(said: object) -> _Key | None:
    """A public key that may check signatures; None for every other."""
    if not isinstance(said, dict) or said.get("use", "sig") != "sig":
        return None
    operations = said.get("key_ops")
    if operations is not None and not (isinstance(operations, list) and "verify" in operations):
        return None
    kind, key_id, algorithm = said.get("kty"), said.get("kid", ""), said.get("alg", "")
    if not isinstance(kind, str) or kind not in _PUBLIC or not isinstance(algorithm, str):
        return None
    if not isinstance(key_id, str) or len(key_id) > KEY_ID_CHARS_MAX:
        return None
    members: dict[str, Any] = {"kty": kind, **{name: said.get(name) for name in _PUBLIC[kind]}}
    if not all(isinstance(value, str) for value in members.values()):
        return None
    if algorithm == "Ed25519":
        algorithm = "EdDSA"
    try:
        made = _made(kind, members)
    except (JoseError, ValueError, TypeError, AssertionError):
        return None
    return None if made is None else _Key(key_id, kind, str(members.get("crv", "")), algorithm, made)


def _made(kind: str, members: dict[str, Any]) -> PublicKey | None:
    if kind == "RSA":
        key = RSAKey.import_key(members)
        return key if key.public_key.key_size >= RSA_BITS_MIN else None
    if kind == "EC":
        curve = ECKey.import_key(members)
        return curve if curve.public_key is not None else None
    edwards = OKPKey.import_key(members)
    return edwards if members["crv"] == "Ed25519" and edwards.public_key is not None else None
