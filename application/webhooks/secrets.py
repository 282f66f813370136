"""The signing secrets of endpoints, in the vault: one credential per endpoint, which holds the secret before
the newest too while both are valid. What the configuration file declares brings its own secrets instead."""

import json
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from application.events.writing import epoch_us
from application.ports.system import Clock
from application.vault import Vault
from domain.errors import CredentialDamaged, InvalidRequest
from domain.vault.credential import NewCredential, StoredCredential
from domain.vault.secret import SecretBytes, SecretText
from domain.webhooks.endpoint import Endpoint
from domain.webhooks.signature import KEY_BYTES, secret_key, secret_text

OVERLAP_S: Final = 86_400.0
"""How long the secret before the newest still signs."""
OVERLAP_S_MAX: Final = 7 * OVERLAP_S
SECRETS_MAX: Final = 4
"""That sign at the same time, however often somebody rotates."""
FIELD: Final = "signing"
REMEMBERED_MAX: Final = 10_000
_US: Final = 1_000_000

_Dated = tuple[SecretBytes, int | None]


class Sending(NamedTuple):
    """What is secret about an endpoint beside what it signs with; empty: nothing is."""

    routing_key: str = ""
    """PagerDuty's."""
    address: str = ""
    """The whole URL, where it is a secret."""

    def __repr__(self) -> str:
        return "Sending(…)"


NOTHING_MORE: Final = Sending()


class _Opened(NamedTuple):
    dated: tuple[_Dated, ...]
    sending: Sending


class EndpointSecrets:
    """What was opened is remembered by the endpoint's revision, which a rotation counts up."""

    def __init__(self, vault: Vault, clock: Clock, draw: Callable[[int], bytes]) -> None:
        """`draw` returns so many bytes that nobody can guess."""
        self._vault = vault
        self._clock = clock
        self._draw = draw
        self._opened: dict[tuple[str, int], _Opened] = {}
        self._declared: Mapping[str, SecretText] = {}
        self._sending: Mapping[str, Sending] = {}

    def declare(
        self, secrets: Mapping[str, SecretText], sending: Mapping[str, Sending] | None = None
    ) -> None:
        """Those of the configuration file, by endpoint, in the place of all before."""
        self._declared, self._sending = dict(secrets), dict(sending or {})

    async def keys(self, endpoint: Endpoint) -> tuple[SecretBytes, ...]:
        """Those that sign now, the newest first. Raises CredentialDamaged, VaultLocked, StoreUnavailable."""
        if endpoint.declared:
            return (self._of_file(endpoint),)
        dated = (await self._known(endpoint)).dated
        now_us = epoch_us(self._clock.utc_now())
        return tuple(key for key, until_us in dated if until_us is None or now_us < until_us)

    async def sending(self, endpoint: Endpoint) -> Sending:
        """Raises as `keys`."""
        if endpoint.declared:
            return self._sending.get(endpoint.endpoint_id, Sending())
        return (await self._known(endpoint)).sending

    async def _known(self, endpoint: Endpoint) -> _Opened:
        known = (endpoint.endpoint_id, endpoint.revision)
        opened = self._opened.get(known)
        if opened is None:
            opened = await self._open(endpoint)
            if len(self._opened) >= REMEMBERED_MAX:
                self._opened.clear()
            self._opened[known] = opened
        return opened

    async def change_sending(self, endpoint: Endpoint, sending: Sending, by: str) -> None:
        """Seen once the endpoint's revision rose. Raises as `rotate`."""
        row, opened = await self._row(endpoint), await self._open(endpoint)
        if opened.sending != sending:
            dated = [(secret_text(key.reveal()), until_us) for key, until_us in opened.dated]
            await self._vault.replace(
                endpoint.tenant_id,
                row.credential_id,
                _content(dated, sending),
                by,
                expected_version=row.version,
            )

    async def make(
        self, tenant_id: str, endpoint_id: str, by: str, sending: Sending = NOTHING_MORE
    ) -> SecretText:
        """A new endpoint's first. Raises Conflict where there is no room, CredentialDamaged, VaultLocked,
        StoreUnavailable."""
        secret = self._new()
        new = NewCredential(
            tenant_id=tenant_id, name=name_of(endpoint_id), integration="webhooks", field=FIELD
        )
        await self._vault.put(new, _content([(secret.reveal(), None)], sending), by)
        return secret

    async def rotate(self, endpoint: Endpoint, by: str, overlap_s: float = OVERLAP_S) -> SecretText:
        """The next one; the one before signs beside it for as long as the overlap. Raises Conflict where
        somebody else rotated at the same time, CredentialDamaged, VaultLocked, StoreUnavailable."""
        row = await self._row(endpoint)
        now_us = epoch_us(self._clock.utc_now())
        ends_us = now_us + round(min(max(overlap_s, 0.0), OVERLAP_S_MAX) * _US)
        opened = await self._open(endpoint)
        kept = [
            (secret_text(key.reveal()), ends_us if until_us is None else min(until_us, ends_us))
            for key, until_us in opened.dated
            if until_us is None or until_us > now_us
        ]
        secret = self._new()
        content = _content([(secret.reveal(), None), *kept[: SECRETS_MAX - 1]], opened.sending)
        # What somebody else made in between was told to somebody: it must not be written over.
        await self._vault.replace(
            endpoint.tenant_id, row.credential_id, content, by, expected_version=row.version
        )
        return secret

    async def remove(self, endpoint: Endpoint) -> None:
        """For an endpoint that is gone. Raises CredentialDamaged, VaultLocked, StoreUnavailable."""
        if not endpoint.declared:
            row = await self._row(endpoint)
            await self._vault.delete(endpoint.tenant_id, row.credential_id)

    def _of_file(self, endpoint: Endpoint) -> SecretBytes:
        declared = self._declared.get(endpoint.endpoint_id)
        if declared is None:
            raise CredentialDamaged(f"the configuration here declares no endpoint {endpoint.endpoint_id}")
        return secret_key(declared.reveal())

    def _new(self) -> SecretText:
        return SecretText(secret_text(self._draw(KEY_BYTES)))

    async def _open(self, endpoint: Endpoint) -> _Opened:
        name = name_of(endpoint.endpoint_id)
        opened = (await self._vault.open(endpoint.tenant_id, [name])).get(name)
        if opened is None:
            raise CredentialDamaged(f"the signing secret of {endpoint.endpoint_id} is not in the vault")
        try:
            said = json.loads(opened.reveal())
            dated = tuple((secret_key(text), until_us) for text, until_us in said["secrets"])
            return _Opened(dated, Sending(**said.get("sending", {})))
        except (ValueError, KeyError, TypeError, InvalidRequest):
            raise CredentialDamaged(f"the signing secret of {endpoint.endpoint_id} cannot be read") from None

    async def _row(self, endpoint: Endpoint) -> StoredCredential:
        kept = await self._vault.store.tenant(endpoint.tenant_id)
        name = name_of(endpoint.endpoint_id)
        for row in kept.rows:
            if row.name == name:
                return row
        raise CredentialDamaged(f"the signing secret of {endpoint.endpoint_id} is not in the vault")


def name_of(endpoint_id: str) -> str:
    """What an endpoint's credential is called."""
    return f"{endpoint_id}.{FIELD}"


def _content(secrets: list[tuple[str, int | None]], sending: Sending) -> SecretBytes:
    private = {name: value for name, value in sending._asdict().items() if value}
    content = {"secrets": secrets, **({"sending": private} if private else {})}
    return SecretBytes(json.dumps(content).encode())
