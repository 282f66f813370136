"""Telling whether a webhook that somebody received is genuine, timely and new."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple

from application.ports.seen_messages import SeenMessages
from application.ports.system import Clock
from domain.errors import InvalidRequest, NotFound
from domain.tenancy.principal import Principal
from domain.vault.secret import SecretBytes
from domain.webhooks.inbound import (
    TOLERANCE_S,
    TOLERANCE_S_MAX,
    Genuine,
    NotGenuine,
    Source,
    check_genuine,
)

SEEN_PER_TENANT_MAX: Final = 50_000
SECRETS_MAX: Final = 3
"""More than one while a secret is being replaced."""
HEADERS_MAX: Final = 100
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

OpenSecrets = Callable[[str, Collection[str]], Awaitable[Mapping[str, SecretBytes]]]
"""Credentials of a tenant by their names; those that are there. Raises CredentialDamaged, VaultLocked,
StoreUnavailable."""


class Verdict(Enum):
    GENUINE = "genuine"
    NOT_GENUINE = "not_genuine"
    """Unsigned, signed by somebody else, changed, or malformed; which of it is not told."""
    TOO_OLD = "too_old"
    """Genuine, but sent too long ago, or in the future."""
    REPLAYED = "replayed"
    """Genuine, and exactly this message came before."""


class Inbound(NamedTuple):
    """A webhook as it was received. `credentials` name its secrets in the vault of whoever asks."""

    source: Source
    credentials: tuple[str, ...]
    headers: Mapping[str, str]
    body: bytes
    tolerance_s: float = TOLERANCE_S
    check_replay: bool = True


class Verified(NamedTuple):
    """`message_id` is the source's, where it is signed; `sent_at_s` UTC epoch seconds, None where the source
    signs no time."""

    verdict: Verdict
    message_id: str = ""
    sent_at_s: int | None = None


class VerifyInbound:
    def __init__(self, secrets: OpenSecrets, seen: SeenMessages, clock: Clock) -> None:
        self._secrets = secrets
        self._seen = seen
        self._clock = clock

    async def __call__(self, by: Principal, received: Inbound) -> Verified:
        """Only a genuine message is remembered.

        Raises InvalidRequest (names the field), NotFound (no such credential in this tenant), Overloaded (as
        many are remembered as may be), CredentialDamaged, VaultLocked, StoreUnavailable.
        """
        secrets = await self._opened(by.tenant_id, received.credentials)
        if not 1 <= received.tolerance_s <= TOLERANCE_S_MAX:
            raise InvalidRequest(f"tolerance_s is 1 to {TOLERANCE_S_MAX:g}", param="tolerance_s")
        try:
            genuine = check_genuine(received.source, secrets, _lowered(received.headers), received.body)
        except NotGenuine:
            return Verified(Verdict.NOT_GENUINE)
        now_us = (self._clock.utc_now() - _EPOCH) // timedelta(microseconds=1)
        verdict = await self._judged(by.tenant_id, received, genuine, now_us)
        return Verified(verdict, genuine.message_id, genuine.sent_at_s)

    async def _judged(self, tenant_id: str, received: Inbound, genuine: Genuine, now_us: int) -> Verdict:
        now_s = now_us / 1_000_000
        if not genuine.timely(now_s, received.tolerance_s):
            return Verdict.TOO_OLD
        if not received.check_replay:
            return Verdict.GENUINE
        # For the longest tolerance anybody may ask for: with a longer one than last time it is known still.
        until_us = round(genuine.known_until_s(now_s, TOLERANCE_S_MAX) * 1_000_000)
        known_as = hashlib.sha256(received.source.value.encode() + b":" + genuine.fingerprint).digest()
        first = await self._seen.first(
            tenant_id, known_as, now_us, until_us, per_tenant_max=SEEN_PER_TENANT_MAX
        )
        return Verdict.GENUINE if first else Verdict.REPLAYED

    async def _opened(self, tenant_id: str, names: tuple[str, ...]) -> list[SecretBytes]:
        if not 1 <= len(names) <= SECRETS_MAX:
            raise InvalidRequest(f"name 1 to {SECRETS_MAX} credentials", param="credentials")
        opened = await self._secrets(tenant_id, names)
        for place, name in enumerate(names):
            if name not in opened:
                raise NotFound(f"no credential {name[:60]!r} in this tenant", param=f"credentials.{place}")
        return [opened[name] for name in names]


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    """Names of headers have no case; one that is given twice in different cases is no header at all."""
    if len(headers) > HEADERS_MAX:
        raise InvalidRequest(f"at most {HEADERS_MAX} headers", param="headers")
    found: dict[str, str] = {}
    for name, value in headers.items():
        lowered = name.strip().lower()
        if lowered in found:
            raise InvalidRequest(f"header {lowered[:60]!r} is given twice", param="headers")
        found[lowered] = value
    return found
