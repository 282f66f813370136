"""`interchange keys`: API keys, straight from the store of this machine.

Whoever may read the data directory acts as its owner; no key is needed and no server has to run. A key
is printed once, when it is made.
"""

import json
import sys
from datetime import datetime

import click

from application.use_cases.change_keys import KeyUseCases
from application.use_cases.manage_keys import CreatedKey
from domain.tenancy.key import KeyRecord
from domain.tenancy.key_rules import ENVIRONMENTS, LIVE, NewKey
from domain.tenancy.role import OPERATOR_TENANT, PERMISSIONS, ROLES, local_operator
from entrypoints.cli.key_changes import change_command, rotate_command, show_command
from entrypoints.cli.key_options import OpenUseCases, binding_options, expiry, json_option, run_with
from entrypoints.cli.key_peppers import pepper_group
from entrypoints.key_objects import key_object


def make_group(open_use_cases: OpenUseCases) -> click.Group:
    """The group `keys`. The use cases are opened when a command runs, and closed after it."""

    @click.group(name="keys")
    def keys() -> None:
        """Create, list, change, rotate, revoke and recover API keys."""

    keys.add_command(_create(open_use_cases))
    keys.add_command(_list(open_use_cases))
    keys.add_command(_revoke(open_use_cases))
    keys.add_command(_recover(open_use_cases))
    keys.add_command(show_command(open_use_cases))
    keys.add_command(rotate_command(open_use_cases))
    keys.add_command(change_command(open_use_cases))
    keys.add_command(pepper_group(open_use_cases))
    return keys


def _create(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("create")
    @click.argument("name")
    @click.option(
        "--role",
        default="agent",
        show_default=True,
        help=f"{', '.join(ROLES)}, or one of the tenant's own (`interchange roles list`).",
    )
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
    @click.option("--env", type=click.Choice(ENVIRONMENTS), default=LIVE, help="Shown in the key's text.")
    @binding_options
    @json_option
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
        env: str,
        as_json: bool,
        **bound: tuple[str, ...],
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
                env=env,
                networks=bound["networks"],
                assertable=frozenset(bound["assertable"]) or None,
                integrations=frozenset(bound["integrations"]) or None,
                managed_budgets=frozenset(bound["managed_budgets"]) or None,
            )
            return await use_cases.create(local_operator(), new)

        _show_created(run_with(open_use_cases, work), as_json)

    return create


def _list(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("list")
    @click.option("--tenant", help="Only keys of this tenant.")
    @click.option("--all", "everything", is_flag=True, help="Revoked and expired keys as well.")
    @json_option
    def list_keys(tenant: str | None, everything: bool, as_json: bool) -> None:
        """Show keys, without their secrets."""

        async def work(use_cases: KeyUseCases) -> tuple[list[KeyRecord], datetime]:
            return await use_cases.list(local_operator(), tenant), use_cases.clock.utc_now()

        records, now = run_with(open_use_cases, work)
        shown = [record for record in records if everything or record.live(now)]
        if as_json:
            click.echo(json.dumps([key_object(record, now) for record in shown], indent=2))
        else:
            _print_table(shown, now)

    return list_keys


def _revoke(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("revoke")
    @click.argument("key_id")
    @click.option("--reason", default="", help="Kept with the key.")
    @json_option
    def revoke(key_id: str, reason: str, as_json: bool) -> None:
        """End the key KEY_ID for good. Running servers notice within a second."""

        async def work(use_cases: KeyUseCases) -> tuple[KeyRecord, datetime]:
            record = await use_cases.revoke(local_operator(), key_id, reason)
            return record, use_cases.clock.utc_now()

        record, now = run_with(open_use_cases, work)
        if as_json:
            click.echo(json.dumps(key_object(record, now), indent=2))
        else:
            click.echo(f"{record.key_id} ({record.name}, tenant {record.tenant_id}) is revoked.")

    return revoke


def _recover(open_use_cases: OpenUseCases) -> click.Command:
    @click.command("recover")
    @json_option
    def recover(as_json: bool) -> None:
        """Make another owner key, and put it into the owner's key file. Older keys stay valid."""

        async def work(use_cases: KeyUseCases) -> CreatedKey:
            return await use_cases.recover()

        _show_created(run_with(open_use_cases, work), as_json)

    return recover


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
            record.state(now),
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
    networks = f"; from {', '.join(record.networks)}" if record.networks else ""
    names = "" if record.assertable is None else f"; names {', '.join(sorted(record.assertable))}"
    return scopes + models + networks + names
