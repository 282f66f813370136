"""Secrets of integrations in the vault, each under `<integration_id>.<field>`."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from application.tools.forms import Form, same_place
from application.vault import Vault
from domain.connectors.integration import Integration
from domain.errors import (
    Conflict,
    CredentialDamaged,
    Forbidden,
    InterchangeError,
    InvalidConfiguration,
    NotFound,
)
from domain.tenancy.principal import Principal
from domain.vault.credential import NAME_SHAPE, Change, NewCredential, StoredCredential
from domain.vault.secret import SecretBytes

log = logging.getLogger("interchange")

CREDENTIALS: Final = "credentials.write"
"""Needed to name a credential, beside what it takes to change integrations."""
SHARED: Final = "shared"
"""Credentials that are kept for this may be named by any integration of the tenant, all others only by the
one they are for: whoever may make integrations could send them anywhere."""


def own_name(integration_id: str, field: str) -> str:
    """Under which the vault keeps a secret that came with an integration. Raises InvalidConfiguration."""
    name = f"{integration_id}.{field}"
    if not NAME_SHAPE.fullmatch(name) or not NAME_SHAPE.fullmatch(field):
        raise InvalidConfiguration(
            f"integration_id is too long: {name[:120]!r} has to be the name of a credential, of at most 63 "
            "characters",
            param="integration_id",
        )
    return name


def own_names(integration: Integration) -> frozenset[str]:
    """Credentials that came with it and go with it."""
    owned = (
        name
        for field, name in integration.credentials.items()
        if name == f"{integration.integration_id}.{field}"
    )
    return frozenset(owned)


class IntegrationSecrets:
    """Puts them in and takes them out."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    async def after(self, by: Principal, known: Integration, form: Form) -> dict[str, str]:
        """Names of an integration's credentials by field, once it is what the form says.

        What was not sent stays, unless the endpoint leads elsewhere: what was entrusted to one side is not
        sent to another. Raises as `check`.
        """
        moved = not same_place(known, form.integration)
        own = own_names(known)
        sent = {
            field: name
            for field, name in form.referenced.items()
            if name != known.credentials.get(field) or (moved and name not in own)
        }
        await self.check(by, form.integration, sent)
        open_to_keep = form.fields - form.cleared - set(form.given) - set(sent)
        kept = {field: name for field, name in known.credentials.items() if field in open_to_keep}
        if moved and kept:
            field = min(kept)
            raise InvalidConfiguration(
                f"authentication.{field} has to be sent again: the endpoint leads elsewhere, and what was "
                "entrusted to one side is not sent to another",
                param=f"authentication.{field}",
            )
        return {**kept, **sent, **{field: own_name(known.integration_id, field) for field in form.given}}

    async def check(self, by: Principal, integration: Integration, referenced: Mapping[str, str]) -> None:
        """Whether credentials that are named exist, and may be used there by whoever asks.

        Raises InvalidConfiguration, Forbidden, StoreUnavailable.
        """
        if not referenced:
            return
        if not by.may(CREDENTIALS):
            raise Forbidden(f"to name a credential of the vault takes {CREDENTIALS}, too")
        rows = await self._rows(integration.tenant_id)
        integration_id = integration.integration_id
        for field, name in referenced.items():
            param = f"authentication.{field}"
            row = rows.get(name)
            if row is None:
                raise InvalidConfiguration(
                    f"{param}: no credential {name!r} in the vault; `interchange credentials add {name} "
                    f"--integration {integration_id}` makes it",
                    param=param,
                )
            if row.integration not in (integration_id, SHARED):
                raise InvalidConfiguration(
                    f"{param}: the credential {name!r} is for {row.integration!r}; one that is used here is "
                    f"made with --integration {integration_id} or --integration {SHARED}",
                    param=param,
                )

    async def keep(
        self, tenant_id: str, integration_id: str, secrets: Mapping[str, SecretBytes], by: str
    ) -> None:
        """All of them or none. What an earlier integration of this name left behind is replaced.

        Raises InvalidConfiguration, Conflict where somebody else's credential has the name, or no room;
        VaultLocked, CredentialDamaged, StoreUnavailable.
        """
        if not secrets:
            return
        rows = await self._rows(tenant_id)
        named = {own_name(integration_id, field): (field, value) for field, value in secrets.items()}
        for name in named:
            if name in rows and rows[name].integration != integration_id:
                raise Conflict(
                    f"a credential called {name!r} exists already, for {rows[name].integration!r}: delete it",
                    param="integration_id",
                )
        before = await self._values(tenant_id, frozenset(name for name in named if name in rows))
        done: list[str] = []
        try:
            for name, (field, value) in named.items():
                await self._set(_new(tenant_id, name, integration_id, field), rows.get(name), value, by)
                done.append(name)
        except BaseException:
            await self._undo(tenant_id, done, rows, before, by)
            raise

    async def take_out(self, tenant_id: str, names: Iterable[str]) -> None:
        """Those that are there. Raises VaultLocked, CredentialDamaged, Conflict, StoreUnavailable."""
        wanted = frozenset(names)
        if not wanted:
            return
        for name, row in (await self._rows(tenant_id)).items():
            if name in wanted:
                try:
                    await self._vault.delete(tenant_id, row.credential_id)
                except NotFound:
                    continue  # somebody else took it out

    async def set_aside(self, known: Integration) -> tuple[StoredCredential, ...]:
        """Takes out what came with an integration, as it is, to be `put_back` where nothing comes of it.

        For one that moves: between the store of integrations and the vault nothing may ever look as if the
        secrets of one side belonged to another. Raises as `take_out`.
        """
        names = own_names(known)
        rows = [row for name, row in (await self._rows(known.tenant_id)).items() if name in names]
        if not rows:
            return ()
        gone = [Change(row.credential_id, row.digest, None) for row in rows]
        applied = await self._vault.change(known.tenant_id, gone)
        return tuple(row for row in rows if row.credential_id in applied)

    async def put_back(self, tenant_id: str, rows: Sequence[StoredCredential]) -> None:
        """Never raises: what cannot be put back has to be sent again."""
        if not rows:
            return
        try:
            await self._vault.change(tenant_id, [Change(row.credential_id, None, row) for row in rows])
        except InterchangeError as error:
            log.error("vault: credentials of an integration could not be put back: %s", error.message)

    async def _set(
        self, new: NewCredential, row: StoredCredential | None, value: SecretBytes, by: str
    ) -> None:
        if row is None:
            await self._vault.put(new, value, by)
        else:
            await self._vault.replace(new.tenant_id, row.credential_id, value, by)

    async def _undo(
        self,
        tenant_id: str,
        done: list[str],
        rows: Mapping[str, StoredCredential],
        before: Mapping[str, SecretBytes],
        by: str,
    ) -> None:
        try:
            await self.take_out(tenant_id, [name for name in done if name not in rows])
            for name in done:
                if name in before:
                    await self._vault.replace(tenant_id, rows[name].credential_id, before[name], by)
        except InterchangeError as error:
            log.error("vault: credentials of an integration could not be put back: %s", error.message)

    async def _values(self, tenant_id: str, names: frozenset[str]) -> Mapping[str, SecretBytes]:
        try:
            return await self._vault.open(tenant_id, names)
        except CredentialDamaged:
            return {}  # nothing that could be put back

    async def _rows(self, tenant_id: str) -> dict[str, StoredCredential]:
        kept = await self._vault.store.tenant(tenant_id)
        return {row.name: row for row in kept.rows}


def _new(tenant_id: str, name: str, integration_id: str, field: str) -> NewCredential:
    return NewCredential(tenant_id=tenant_id, name=name, integration=integration_id, field=field)
