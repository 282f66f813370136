"""`interchange keys`: API keys, straight from the store of this machine.

Whoever may read the data directory acts as its owner; no key is needed and no server has to run. A key
is printed once, when it is made.
"""

import json
import re
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import click

from application.use_cases.manage_keys import CreatedKey, KeyUseCases
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.key import OWN_SCHEME, KeyRecord
from domain.tenancy.key_rules import NewKey
from domain.tenancy.role import OPERATOR_TENANT, PERMISSIONS, ROLES, local_operator
from entrypoints.command_loop import run

Result = TypeVar("Result")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}

OpenUseCases = Callable[[], AbstractContextManager[KeyUseCases]]

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def make_group(open_use_cases: OpenUseCases) -> click.Group:
    """The group `keys`. The use cases are opened when a command runs, and closed after it."""

    @click.group(name="keys")
    def keys() -> None:
        """Create, list, revoke and recover API keys."""

    keys.add_command(_create(open_use_cases))
    keys.add_command(_list(open_use_cases))
    keys.add_command(_revoke(open_use_cases))
    keys.add_command(_recover(open_use_cases))
    return keys


def _create(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("create")
    @click.argument("name")
    @click.option("--role", type=click.Choice(tuple(ROLES)), default="agent", show_default=True)
    @click.option("--tenant", default=OPERATOR_TENANT, show_default=True)
    @click.option(
        "--scope",
        "scopes",
        multiple=True,
        type=click.Choice(tuple(sorted(PERMISSIONS))),
        metavar="PERMISSION",
        help="Only this permission of the role; may be repeated. Default: all of the role's.",
    )
    @click.option(
        "--model",
        "models",
        multiple=True,
        help="Only this route, model or provider/* pattern; may be repeated. Default: all.",
    )
    @click.option("--expires", help="When: 12h, 90d, 2030-01-31 or 2030-01-31T12:00:00Z. Default: never.")
    @click.option("--team", default="", help="The team its cost is counted for.")
    @click.option("--project", default="", help="The project its cost is counted for.")
    @click.option("--cost-center", default="", help="The cost centre its cost is counted for.")
    @_json_option
    def create(
        name: str,
        role: str,
        tenant: str,
        scopes: tuple[str, ...],
        models: tuple[str, ...],
        expires: str | None,
        team: str,
        project: str,
        cost_center: str,
        as_json: bool,
    ) -> None:
        """Make a key called NAME. It is shown this once."""

        async def work(use_cases: KeyUseCases) -> CreatedKey:
            new = NewKey(
                tenant_id=tenant,
                name=name,
                role=role,
                scopes=frozenset(scopes) or None,
                allowed_models=frozenset(models) or None,
                expires_at=None if expires is None else expiry(expires, use_cases.clock.utc_now()),
                team=team,
                project=project,
                cost_center=cost_center,
            )
            return await use_cases.create(local_operator(), new)

        _show_created(_run(open_use_cases, work), as_json)

    return create


def _list(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("list")
    @click.option("--tenant", help="Only keys of this tenant.")
    @click.option("--all", "everything", is_flag=True, help="Revoked and expired keys as well.")
    @_json_option
    def list_keys(tenant: str | None, everything: bool, as_json: bool) -> None:
        """Show keys, without their secrets."""

        async def work(use_cases: KeyUseCases) -> tuple[list[KeyRecord], datetime]:
            return await use_cases.list(local_operator(), tenant), use_cases.clock.utc_now()

        records, now = _run(open_use_cases, work)
        shown = [record for record in records if everything or record.live(now)]
        if as_json:
            click.echo(json.dumps([key_object(record, now) for record in shown], indent=2))
        else:
            _print_table(shown, now)

    return list_keys


def _revoke(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("revoke")
    @click.argument("key_id")
    @_json_option
    def revoke(key_id: str, as_json: bool) -> None:
        """End the key KEY_ID for good. Running servers notice within a second."""

        async def work(use_cases: KeyUseCases) -> tuple[KeyRecord, datetime]:
            return await use_cases.revoke(local_operator(), key_id), use_cases.clock.utc_now()

        record, now = _run(open_use_cases, work)
        if as_json:
            click.echo(json.dumps(key_object(record, now), indent=2))
        else:
            click.echo(f"{record.key_id} ({record.name}, tenant {record.tenant_id}) is revoked.")

    return revoke


def _recover(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("recover")
    @_json_option
    def recover(as_json: bool) -> None:
        """Make another owner key, and put it into the owner's key file. Older keys stay valid."""

        async def work(use_cases: KeyUseCases) -> CreatedKey:
            return await use_cases.recover()

        _show_created(_run(open_use_cases, work), as_json)

    return recover


def _run(open_use_cases: OpenUseCases, work: Callable[[KeyUseCases], Awaitable[Result]]) -> Result:
    async def working(use_cases: KeyUseCases) -> Result:
        return await work(use_cases)

    try:
        with open_use_cases() as use_cases:
            return run(working(use_cases))
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def expiry(text: str, now: datetime) -> datetime:
    """`12h`, `90d`, or an ISO date or time; without a zone it is UTC.

    Raises:
        InvalidRequest: it is none of these.
    """
    if relative := re.fullmatch(r"([0-9]{1,6})([mhd])", text):
        return now + timedelta(seconds=int(relative[1]) * _SECONDS[relative[2]])
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequest(
            f"--expires {text[:80]!r} is no time; allowed: 30m, 12h, 90d, 2030-01-31 or 2030-01-31T12:00:00Z",
            param="expires_at",
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def key_object(record: KeyRecord, now: datetime) -> dict[str, Any]:
    """A key as JSON, without its hash."""
    return {
        "key_id": record.key_id,
        "tenant_id": record.tenant_id,
        "name": record.name,
        "role": record.role,
        "state": _state(record, now),
        "scopes": None if record.permissions is None else sorted(record.permissions),
        "allowed_models": None if record.allowed_models is None else sorted(record.allowed_models),
        "created_at": record.created_at.isoformat(),
        "expires_at": None if record.expires_at is None else record.expires_at.isoformat(),
        "revoked_at": None if record.revoked_at is None else record.revoked_at.isoformat(),
        "imported": record.scheme != OWN_SCHEME,
        "note": record.note,
        "team": record.team,
        "project": record.project,
        "cost_center": record.cost_center,
    }


def _state(record: KeyRecord, now: datetime) -> str:
    if record.revoked_at is not None:
        return "revoked"
    return "expired" if record.expired(now) else "live"


def _show_created(created: CreatedKey, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"key_id": created.key_id, "key": created.key}, indent=2))
        return
    record = created.record
    # The key alone on stdout, so that it can be piped; the explanation beside it.
    click.echo(f"{record.role} key {created.key_id} of tenant {record.tenant_id}; shown this once:", err=True)
    click.echo(created.key)


def _print_table(records: list[KeyRecord], now: datetime) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    if not records:
        click.echo("no keys")
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("KEY ID", "TENANT", "NAME", "ROLE", "STATE", "MAY", "COUNTED FOR", "CREATED", "EXPIRES"):
        table.add_column(title, overflow="fold", no_wrap=title in {"KEY ID", "ROLE", "STATE"})
    for record in records:
        table.add_row(
            record.key_id,
            record.tenant_id,
            escape(record.name),
            record.role,
            _state(record, now),
            _narrowed(record),
            escape(" / ".join(name for name in (record.team, record.project, record.cost_center) if name)),
            f"{record.created_at:%Y-%m-%d}",
            "never" if record.expires_at is None else f"{record.expires_at:%Y-%m-%d %H:%M}",
        )
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def _narrowed(record: KeyRecord) -> str:
    scopes = "all of its role" if record.permissions is None else ", ".join(sorted(record.permissions))
    models = "" if record.allowed_models is None else f"; models {', '.join(sorted(record.allowed_models))}"
    return scopes + models
