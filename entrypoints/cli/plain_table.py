"""A table of texts on the terminal."""

import sys
from collections.abc import Iterable, Sequence

import click


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, nothing: str) -> None:
    """Prints rows under titles; without rows, `nothing`."""
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    listed = list(rows)
    if not listed:
        click.echo(nothing)
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == titles[0])
    for row in listed:
        table.add_row(*(escape(cell) for cell in row))
    # A pipe has no width of its own; rows are then left whole for whoever reads them.
    Console(width=None if sys.stdout.isatty() else 200).print(table)
