"""`interchange config`: is it right, what does it come to, what may stand in it."""

import json
from typing import Any

import click

from entrypoints.cli.api_client import connect, server_options
from entrypoints.cli.configured import config_option, load_or_exit, provision_or_exit, tell_warnings

CONFIG_PATH = "/api/v1/config"


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
    planned = provision_or_exit(loaded)
    settings = loaded.settings
    where = loaded.config_file or "no file: defaults and environment"
    counts = f"{len(settings.providers)} providers, {len(settings.routes)} routes"
    if settings.integrations:
        counts += f", {len(settings.integrations)} integrations"
    click.echo(f"ok: {where} ({counts})")
    count = len(loaded.warnings) + len(planned.warnings)
    if strict and count:
        raise click.ClickException(f"{count} warnings, and --strict was given")


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
        planned = planned_provision(loaded).warnings
        warnings += tuple(
            ConfigProblem(origin=str(loaded.config_file or ""), path="", message=text) for text in planned
        )
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
@server_options
@click.option("--running", is_flag=True, help="Of the running server instead of the file.")
@click.option("--all", "everything", is_flag=True, help="With the defaults of every key.")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of YAML.")
def export(
    config_path: str | None,
    url: str | None,
    key: str | None,
    running: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Print the configuration in force: file, environment and defaults together, ready to be read again.

    What came from a variable is printed as the variable; any other secret is masked.
    """
    if running and everything:
        raise click.UsageError("--all is of the file; a server tells what was given to it")
    if running:
        data: dict[str, Any] = connect(config_path, url, key).call("GET", CONFIG_PATH)["settings"]
    else:
        from entrypoints.config.export import effective

        loaded = load_or_exit(config_path)
        data = effective(loaded.settings, loaded.references, everything=everything)
    click.echo(json.dumps(data, indent=2, ensure_ascii=False) if as_json else as_yaml(data).rstrip("\n"))


def as_yaml(data: dict[str, Any]) -> str:
    """As a file of ours."""
    from io import StringIO

    from ruamel.yaml import YAML

    text = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 10_000
    yaml.dump(data, text)
    return text.getvalue()


@config.command()
@click.argument("file", required=False)
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the differences as JSON.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there are differences.")
def diff(file: str | None, url: str | None, key: str | None, as_json: bool, exit_code: bool) -> None:
    """Compare what the running server works with to FILE, or to the file it would read now.

    Secrets are masked on both sides and not compared, and neither is what `serve` was given as flags.
    """
    from entrypoints.config.export import differences, effective

    loaded = load_or_exit(file)
    running = connect(file, url, key).call("GET", CONFIG_PATH)
    found = differences(running["settings"], effective(loaded.settings, loaded.references))
    fixed: list[str] = running["restart_only"]
    given: list[str] = running["command_line"]
    rows = [
        {"path": path, "running": ours, "file": theirs, "needs_restart": _any_of(path, fixed)}
        for path, ours, theirs in found
        if not _any_of(path, given)
    ]
    if as_json:
        click.echo(
            json.dumps({"differences": rows, "reload": running["reload"]}, indent=2, ensure_ascii=False)
        )
    else:
        for row in rows:
            restart = "  (takes a restart)" if row["needs_restart"] else ""
            click.echo(f"{row['path']}: {_value(row['running'])} -> {_value(row['file'])}{restart}")
        click.echo("no difference" if not rows else f"{len(rows)} differences", err=True)
        tell_reload(running["reload"])
    if rows and exit_code:
        raise click.exceptions.Exit(1)


def _any_of(path: str, keys: list[str]) -> bool:
    return any(path == key or path.startswith(f"{key}.") for key in keys)


def _value(value: Any) -> str:
    return "(not given)" if value is None else json.dumps(value, ensure_ascii=False)


@config.command()
@config_option
@server_options
@click.option("--json", "as_json", is_flag=True, help="Print the server's answer.")
def status(config_path: str | None, url: str | None, key: str | None, as_json: bool) -> None:
    """Whether the running server works with the file as it now is. Exit status 1: it does not."""
    answer = connect(config_path, url, key).call("GET", CONFIG_PATH)
    state = answer["reload"]
    if as_json:
        click.echo(
            json.dumps({"reload": state, "warnings": answer["warnings"]}, indent=2, ensure_ascii=False)
        )
    else:
        file = state["file"] or "no file: defaults and environment"
        click.echo(f"{file}: {'in use' if state['state'] == 'in_use' else 'NOT in use, an older one is'}")
        click.echo(f"taken over {state['reloads']} times while serving, refused {state['failures']} times")
        tell_reload(state)
    if state["state"] != "in_use":
        raise click.exceptions.Exit(1)


def tell_reload(state: dict[str, Any]) -> None:
    """On stderr: what keeps the file out, and what waits for a restart."""
    for problem in state["problems"]:
        click.echo(f"not in use: {problem}", err=True)
    for path in state["needs_restart"]:
        click.echo(f"takes a restart: {path}", err=True)


@config.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file."""
    from entrypoints.config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
