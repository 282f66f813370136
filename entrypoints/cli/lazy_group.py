"""A click group whose commands are imported only when one of them is called.

`interchange --help` then costs what click costs, however much the commands need.
"""

import importlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Where a command lives. `attribute` is the command, or a function without arguments that makes it."""

    module: str
    attribute: str
    help: str


class LazyGroup(click.Group):
    """Lists its commands from a table; imports the one that is used."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order: what is needed first stands first."""
        return [*self._lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self._lazy.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        found = getattr(importlib.import_module(place.module), place.attribute)
        command = found if isinstance(found, click.Command) else found()
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.help) for name, place in self._lazy.items()])
