"""No command without a row in the table of what it takes."""

from collections.abc import Iterator

import click

from domain.tenancy.role import PERMISSIONS, local_operator
from entrypoints.cli.command_access import COMMAND_ACCESS, Works
from entrypoints.cli.main import interchange
from entrypoints.http.permissions import ROUTE_PERMISSIONS

FEEDS = {"catalog sync"}
"""Their --url is that of a price feed; no server of ours is asked."""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from commands(inner, (*path, name))


def test_every_command_is_in_the_table_and_every_row_is_a_command() -> None:
    assert {name for name, _ in commands(interchange)} == set(COMMAND_ACCESS)


def test_every_permission_exists_and_the_local_operator_has_it() -> None:
    assert {access.permission for access in COMMAND_ACCESS.values()} - {""} <= PERMISSIONS
    assert local_operator().permissions == PERMISSIONS


def test_what_a_command_asks_a_server_for_is_what_some_route_takes() -> None:
    asked = {
        access.permission
        for access in COMMAND_ACCESS.values()
        if access.works in (Works.SERVER, Works.EITHER) and access.permission
    }
    assert asked <= set(ROUTE_PERMISSIONS.values())


def test_commands_that_ask_a_server_say_which_and_with_what_key() -> None:
    for name, command in commands(interchange):
        names = {parameter.name for parameter in command.params}
        asks = COMMAND_ACCESS[name].works in (Works.SERVER, Works.EITHER)
        assert asks == ({"url", "key"} <= names), name
        assert asks or "url" not in names or name.startswith("demo ") or name in FEEDS, name


def test_commands_that_change_something_say_what_they_need() -> None:
    changing = ("create", "set", "add", "delete", "rotate", "revoke", "update", "import", "sync", "upgrade")
    for name, access in COMMAND_ACCESS.items():
        if name.rpartition(" ")[2] in changing:
            assert access.permission, name
            assert not access.permission.endswith(".read"), name
