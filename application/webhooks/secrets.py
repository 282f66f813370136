"""The signing secrets of endpoints, in the vault: one credential per endpoint, which holds the secret before
the newest too while both are valid. What the configuration file declares brings its own secrets instead."""

import json
from collections.abc import Callable, Mapping
from typing import Final

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


class EndpointSecrets:
    """What was opened is remembered by the endpoint's revision, which a rotation counts up."""

    def __init__(self, vault: Vault, clock: Clock, draw: Callable[[int], bytes]) -> None:
        """`draw` returns so many bytes that nobody can guess."""
        self._vault = vault
        self._clock = clock
        self._draw = draw
        self._opened: dict[tuple[str, int], tuple[_Dated, ...]] = {}
        self._declared: Mapping[str, SecretText] = {}

    def declare(self, secrets: Mapping[str, SecretText]) -> None:
        """Those of the configuration file, by endpoint, in the place of all before."""
        self._declared = dict(secrets)

    async def keys(self, endpoint: Endpoint) -> tuple[SecretBytes, ...]:
        """Those that sign now, the newest first. Raises CredentialDamaged, VaultLocked, StoreUnavailable."""
        if endpoint.declared:
            return (self._of_file(endpoint),)
        known = (endpoint.endpoint_id, endpoint.revision)
        dated = self._opened.get(known)
        if dated is None:
            dated = await self._open(endpoint)
            if len(self._opened) >= REMEMBERED_MAX:
                self._opened.clear()
            self._opened[known] = dated
        now_us = epoch_us(self._clock.utc_now())
        return tuple(key for key, until_us in dated if until_us is None or now_us < until_us)

    async def make(self, tenant_id: str, endpoint_id: str, by: str) -> SecretText:
        """A new endpoint's first. Raises Conflict where there is no room, CredentialDamaged, VaultLocked,
        StoreUnavailable."""
        secret = self._new()
        new = NewCredential(
            tenant_id=tenant_id, name=name_of(endpoint_id), integration="webhooks", field=FIELD
        )
        await self._vault.put(new, _content([(secret.reveal(), None)]), by)
        return secret

    async def rotate(self, endpoint: Endpoint, by: str, overlap_s: float = OVERLAP_S) -> SecretText:
        """The next one; the one before signs beside it for as long as the overlap. Raises Conflict where
        somebody else rotated at the same time, CredentialDamaged, VaultLocked, StoreUnavailable."""
        row = await self._row(endpoint)
        now_us = epoch_us(self._clock.utc_now())
        ends_us = now_us + round(min(max(overlap_s, 0.0), OVERLAP_S_MAX) * _US)
        kept = [
            (secret_text(key.reveal()), ends_us if until_us is None else min(until_us, ends_us))
            for key, until_us in await self._open(endpoint)
            if until_us is None or until_us > now_us
        ]
        secret = self._new()
        content = _content([(secret.reveal(), None), *kept[: SECRETS_MAX - 1]])
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

    async def _open(self, endpoint: Endpoint) -> tuple[_Dated, ...]:
        name = name_of(endpoint.endpoint_id)
        opened = (await self._vault.open(endpoint.tenant_id, [name])).get(name)
        if opened is None:
            raise CredentialDamaged(f"the signing secret of {endpoint.endpoint_id} is not in the vault")
        try:
            said = json.loads(opened.reveal())
            return tuple((secret_key(text), until_us) for text, until_us in said["secrets"])
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


def _content(secrets: list[tuple[str, int | None]]) -> SecretBytes:
    return SecretBytes(json.dumps({"secrets": secrets}).encode())
