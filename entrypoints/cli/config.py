"""`interchange config`: is it right, what does it come to, what may stand in it."""

import json
from typing import Any

import click

from entrypoints.cli.configured import config_option, load_or_exit, provision_or_exit, tell_warnings


@click.group()
def config() -> None:
    """Check, export and describe the configuration."""


@config.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
def check(config_path: str | None, as_json: bool, strict: bool) -> None:
    """Read the file and the environment as the server would, and say what is wrong, with line and column."""
    if as_json:
        _check_as_json(config_path, strict)
        return
    loaded = load_or_exit(config_path)
    tell_warnings(loaded)
    provision_or_exit(loaded)
    settings = loaded.settings
    where = loaded.config_file or "no file: defaults and environment"
    click.echo(f"ok: {where} ({len(settings.providers)} providers, {len(settings.routes)} routes)")
    if strict and loaded.warnings:
        raise click.ClickException(f"{len(loaded.warnings)} warnings, and --strict was given")


def _check_as_json(config_path: str | None, strict: bool) -> None:
    import os
    from dataclasses import asdict

    from entrypoints.config.loading import load_settings
    from entrypoints.config.problems import ConfigError, ConfigProblem
    from entrypoints.main import planned_provision
    from entrypoints.provisioning import ProvisioningError

    errors: tuple[ConfigProblem, ...] = ()
    warnings: tuple[ConfigProblem, ...] = ()
    try:
        loaded = load_settings(os.environ, config_path=config_path)
        warnings = loaded.warnings
        planned_provision(loaded)
    except ConfigError as error:
        errors = error.problems
    except ProvisioningError as error:
        origin = str(loaded.config_file or "")
        errors = tuple(ConfigProblem(origin=origin, path="", message=text) for text in error.problems)
    findings = {"errors": [asdict(p) for p in errors], "warnings": [asdict(p) for p in warnings]}
    failed = bool(errors) or (strict and bool(warnings))
    click.echo(json.dumps({"ok": not failed, **findings}, indent=2, ensure_ascii=False))
    if failed:
        raise click.exceptions.Exit(1)


@config.command()
@config_option
@click.option("--all", "everything", is_flag=True, help="With the defaults of every key.")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of YAML.")
def export(config_path: str | None, everything: bool, as_json: bool) -> None:
    """Print the configuration in force: file, environment and defaults together. Secrets are masked."""
    loaded = load_or_exit(config_path)
    data: dict[str, Any] = loaded.settings.model_dump(mode="json", exclude_unset=not everything)
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        return
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.dump(data, text)
    click.echo(text.getvalue(), nl=False)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from entrypoints.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
