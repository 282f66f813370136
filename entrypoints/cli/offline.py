"""Command groups that work on the data directory itself, without a running server.

Their use cases are built by the composition root, which is imported only when a command runs.
"""

import importlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, Final

import click

from entrypoints.cli.configured import load_or_exit

LOCAL: Final = "entrypoints.local_stores"
"""Builds what needs stores alone; `entrypoints.main`, which knows servers as well, takes longer to load."""


def keys() -> click.Group:
    """`interchange keys`."""
    return _group("entrypoints.cli.keys", _opener("open_key_use_cases"))


def tenants() -> click.Group:
    """`interchange tenants`."""
    return _group("entrypoints.cli.tenants", _opener("open_tenant_use_cases"))


def roles() -> click.Group:
    """`interchange roles`."""
    return _group("entrypoints.cli.roles", _opener("open_tenant_use_cases"))


def catalog() -> click.Group:
    """`interchange catalog`."""
    return _group("entrypoints.cli.catalog", _opener("open_catalog_use_cases"))


def db() -> click.Group:
    """`interchange db`."""
    return _group("entrypoints.cli.db", lambda: importlib.import_module(LOCAL).administration())


def backup() -> click.Command:
    """`interchange backup`."""

    def open_backups(config_path: str | None) -> Any:
        return importlib.import_module("entrypoints.main").backups(load_or_exit(config_path))

    return _command("entrypoints.cli.backup", "make_backup", open_backups)


def restore() -> click.Command:
    """`interchange restore`."""

    def restore_into(file: Path, into: Path) -> Any:
        return importlib.import_module("entrypoints.backup_opening").restore(file, into)

    return _command("entrypoints.cli.backup", "make_restore", restore_into)


def credentials() -> click.Group:
    """`interchange credentials`."""
    return _group("entrypoints.cli.credentials", _opener("open_vault_use_cases", "entrypoints.main"))


def audit() -> click.Group:
    """`interchange audit`."""
    return _group("entrypoints.cli.audit", _opener("open_audit"))


def budget() -> click.Group:
    """`interchange budget`."""
    return _group("entrypoints.cli.budget", _opener("open_budgeting", "entrypoints.local_budgets"))


def limits() -> click.Group:
    """`interchange limits`."""
    return _group("entrypoints.cli.limits", _opener("open_limits", "entrypoints.local_budgets"))


def usage() -> click.Command:
    """`interchange usage`."""
    return _usage_command("entrypoints.cli.usage")


def report() -> click.Command:
    """`interchange report`."""
    return _usage_command("entrypoints.cli.report")


def reconcile() -> click.Command:
    """`interchange reconcile`."""
    return _usage_command("entrypoints.cli.reconcile")


def forecast() -> click.Command:
    """`interchange forecast`."""
    return _usage_command("entrypoints.cli.outlook", "make_forecast")


def anomalies() -> click.Command:
    """`interchange anomalies`."""
    return _usage_command("entrypoints.cli.outlook", "make_anomalies")


def _usage_command(module: str, maker: str = "make_command") -> click.Command:
    def open_usage(config_path: str | None) -> AbstractAsyncContextManager[Any]:
        opened: AbstractAsyncContextManager[Any]
        opened = importlib.import_module("entrypoints.local_usage").open_usage(load_or_exit(config_path))
        return opened

    return _command(module, maker, open_usage)


def models() -> click.Group:
    """`interchange models`."""

    def open_shelf(config_path: str | None) -> Any:
        return importlib.import_module(LOCAL).open_model_shelf(load_or_exit(config_path))

    return _group("entrypoints.cli.models", open_shelf)


def demo() -> click.Group:
    """`interchange demo`."""
    return _group("entrypoints.cli.demo")


def _group(module: str, *arguments: Any) -> click.Group:
    group = importlib.import_module(module).make_group(*arguments)
    assert isinstance(group, click.Group)
    return group


def _command(module: str, maker: str, *arguments: Any) -> click.Command:
    command = getattr(importlib.import_module(module), maker)(*arguments)
    assert isinstance(command, click.Command)
    return command


def _opener(name: str, module: str = LOCAL) -> Callable[..., AbstractContextManager[Any]]:
    """Builds the use cases only when the command really runs, not for its `--help`."""

    def open_use_cases(*arguments: Any) -> AbstractContextManager[Any]:
        opener = getattr(importlib.import_module(module), name)
        opened: AbstractContextManager[Any] = opener(*arguments)
        return opened

    return open_use_cases
