"""Command groups that work on the data directory itself, without a running server.

Their use cases are built by the composition root, which is imported only when a command runs.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import click


def keys() -> click.Group:
    """`interchange keys`."""
    return _group("entrypoints.cli.keys", _opener("open_key_use_cases"))


def catalog() -> click.Group:
    """`interchange catalog`."""
    return _group("entrypoints.cli.catalog", _opener("open_catalog_use_cases"))


def db() -> click.Group:
    """`interchange db`."""
    return _group("entrypoints.cli.db", lambda: importlib.import_module("entrypoints.main").administration())


def demo() -> click.Group:
    """`interchange demo`."""
    return _group("entrypoints.cli.demo")


def _group(module: str, *arguments: Any) -> click.Group:
    group = importlib.import_module(module).make_group(*arguments)
    assert isinstance(group, click.Group)
    return group


def _opener(name: str) -> Callable[[], AbstractContextManager[Any]]:
    """Builds the use cases only when the command really runs, not for its `--help`."""

    def open_use_cases() -> AbstractContextManager[Any]:
        opened: AbstractContextManager[Any] = getattr(importlib.import_module("entrypoints.main"), name)()
        return opened

    return open_use_cases
