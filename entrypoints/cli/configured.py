"""Reading the configuration for a command, with its problems told line by line."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import click

from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.problems import ConfigError


def config_option(command: Any) -> Any:
    """The `--config` option every command understands."""
    return click.option(
        "--config",
        "config_path",
        metavar="FILE",
        help="Configuration file. Default: INTERCHANGE_CONFIG, or ./interchange.yaml if present.",
    )(command)


def load_or_exit(config_path: str | None, flags: Mapping[str, Any] | None = None) -> LoadedSettings:
    """The configuration; a bad one ends the command with every problem on stderr, and status 1."""
    try:
        return load_settings(os.environ, config_path=config_path, flags=flags)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        count = len(error.problems)
        raise click.ClickException(f"the configuration has {count} error{'s' if count > 1 else ''}") from None


class Planned(NamedTuple):
    """The providers a server would have, and what its catalogue and its stores let it warn of."""

    providers: tuple[str, ...]
    warnings: tuple[str, ...]


def provision_or_exit(loaded: LoadedSettings) -> Planned:
    """Warnings are told on stderr; what cannot be built ends the command like any other mistake."""
    from entrypoints.main import planned_provision
    from entrypoints.provisioning import ProvisioningError

    try:
        provided = planned_provision(loaded)
    except ProvisioningError as error:
        for problem in error.problems:
            click.echo(f"error: {problem}", err=True)
        count = len(error.problems)
        raise click.ClickException(f"the configuration has {count} error{'s' if count > 1 else ''}") from None
    for warning in provided.warnings:
        click.echo(f"warning: {warning}", err=True)
    named = tuple(name for name, provider in provided.providers.items() if not provider.simulated)
    return Planned(named, provided.warnings)


def tell_warnings(loaded: LoadedSettings) -> None:
    """On stderr, one line each."""
    for warning in loaded.warnings:
        click.echo(f"warning: {warning}", err=True)
