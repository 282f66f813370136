"""`interchange roles`: what roles there are, and a tenant's own, straight from the store of this machine."""

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import click

from application.use_cases.manage_roles import RoleRecord
from domain.errors import InterchangeError, InvalidRequest
from domain.tenancy.custom_role import CustomRole
from domain.tenancy.role import OPERATOR_TENANT, PERMISSIONS, local_operator
from entrypoints.cli.plain_table import print_table
from entrypoints.command_loop import run
from entrypoints.tenancy import Managing

Result = TypeVar("Result")
OpenManaging = Callable[[], AbstractContextManager[Managing]]

_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_tenant_option = click.option("--tenant", default=OPERATOR_TENANT, show_default=True)


def make_group(open_managing: OpenManaging) -> click.Group:
    """The group `roles`. The use cases are opened when a command runs, and closed after it."""

    @click.group(name="roles")
    def roles() -> None:
        """Show roles; make, change and remove a tenant's own."""

    for make in (_list, _set, _delete):
        roles.add_command(make(open_managing))
    return roles


def _list(open_managing: OpenManaging) -> click.Command:
    @click.command("list")
    @_tenant_option
    @_json_option
    def list_roles(tenant: str, as_json: bool) -> None:
        """Show the roles a tenant has, and what they give there."""
        records = _run(open_managing, lambda use: use.roles.all(local_operator(), tenant))
        if as_json:
            click.echo(json.dumps([_object(record) for record in records], indent=2))
            return
        rows = [
            (
                record.role.name,
                record.declared_in or record.owner,
                str(record.keys),
                ", ".join(sorted(record.permissions)),
            )
            for record in records
        ]
        print_table(("ROLE", "OWNER", "KEYS", "MAY"), rows, nothing="no roles")

    return list_roles


def _set(open_managing: OpenManaging) -> click.Command:
    @click.command("set")
    @click.argument("name")
    @_tenant_option
    @click.option(
        "--may",
        "permissions",
        multiple=True,
        required=True,
        type=click.Choice(tuple(sorted(PERMISSIONS))),
        metavar="PERMISSION",
        help="A permission; may be repeated. They take the place of those it had.",
    )
    @click.option("--description", default="", help="For people.")
    @_json_option
    def set_role(
        name: str, tenant: str, permissions: tuple[str, ...], description: str, as_json: bool
    ) -> None:
        """Make or change the role NAME, and with it every key that has it."""
        wanted = CustomRole(
            tenant_id=tenant, name=name, permissions=frozenset(permissions), description=description
        )
        record, new = _run(open_managing, lambda use: use.roles.put(local_operator(), wanted))
        if as_json:
            click.echo(json.dumps(_object(record), indent=2))
        else:
            click.echo(f"role {name} of tenant {tenant} is {'made' if new else 'changed'}.")

    return set_role


def _delete(open_managing: OpenManaging) -> click.Command:
    @click.command("delete")
    @click.argument("name")
    @_tenant_option
    def delete(name: str, tenant: str) -> None:
        """Remove the role NAME, which no live key may have."""
        _run(open_managing, lambda use: use.roles.remove(local_operator(), name, tenant))
        click.echo(f"role {name} of tenant {tenant} is removed.")

    return delete


def _run(open_managing: OpenManaging, work: Callable[[Managing], Awaitable[Result]]) -> Result:
    async def working(use: Managing) -> Result:
        return await work(use)

    try:
        with open_managing() as use:
            return run(working(use))
    except InvalidRequest as error:
        raise click.UsageError(error.message) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _object(record: RoleRecord) -> dict[str, Any]:
    from entrypoints.http.roles import role_object

    return role_object(record)
