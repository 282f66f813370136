"""`interchange doctor`: everything that can be found out without sending anything to a provider."""

import json
import os
import resource
import shutil
import stat
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import click

from domain.errors import InterchangeError
from entrypoints.cli.api_client import ApiClient, read_state
from entrypoints.cli.configured import config_option
from entrypoints.cli.doctor_connectors import connector_findings
from entrypoints.cli.doctor_identity import identity_findings
from entrypoints.cli.doctor_secrets import secret_file_findings
from entrypoints.cli.doctor_tls import certificate_findings
from entrypoints.cli.doctor_vault import checkpoint_findings, vault_findings
from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings, load_settings
from entrypoints.config.problems import ConfigError
from entrypoints.jobs.ports import owner_of, port_is_free, reachable_host

FREE_DISK_BYTES_MIN: Final = 200 * 1024 * 1024
OPEN_FILES_PER_REQUEST: Final = 2
_PARTS: Final = ("portkey", "usage_log", "ledger", "redis", "cache")
"""Of `/health`, in the words that it has for them."""


@click.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(config_path: str | None, as_json: bool) -> None:
    """Look for what keeps this installation from working. Status 1 when something does."""
    found = list(examine(config_path))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2, ensure_ascii=False))
    else:
        _print(found)
    if any(finding.verdict == "fail" for finding in found):
        raise click.exceptions.Exit(1)


def examine(config_path: str | None) -> Iterator[Finding]:
    """All findings, the basic ones first."""
    yield _python()
    try:
        loaded = load_settings(os.environ, config_path=config_path)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("configuration", "fail", str(problem))
        return
    file = loaded.config_file or "no file: defaults and environment"
    yield Finding("configuration", "ok", str(file))
    for warning in loaded.warnings:
        yield Finding("configuration", "note", str(warning))
    yield from _data_directory(loaded.settings.data_dir)
    yield from _key_file(loaded.settings.key_file)
    yield from secret_file_findings(loaded)
    yield from checkpoint_findings(loaded)
    yield from _database(loaded)
    yield from _redis(loaded)
    yield from _stores(loaded)
    yield from vault_findings(loaded)
    yield from certificate_findings(loaded)
    yield from identity_findings(loaded)
    yield from connector_findings(loaded)
    yield _open_files(loaded)
    yield _gateway(loaded)
    yield from _server(loaded)


def _python() -> Finding:
    return Finding("python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def _data_directory(path: Path) -> Iterator[Finding]:
    existing = next((folder for folder in (path, *path.parents) if folder.exists()), path)
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "data directory", "fail", f"{path} cannot be written", "fix its owner or set INTERCHANGE_DATA_DIR"
        )
        return
    free = shutil.disk_usage(existing).free
    text = f"{path}, {free // (1024 * 1024)} MiB free"
    if free < FREE_DISK_BYTES_MIN:
        yield Finding("data directory", "fail", text, "free some disk: the journal needs room")
    else:
        yield Finding("data directory", "ok", text)


def _key_file(path: Path) -> Iterator[Finding]:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        yield Finding("first key", "note", f"{path} is not there yet", "the first start writes it")
        return
    except OSError as error:
        yield Finding("first key", "fail", f"{path}: {error.strerror}")
        return
    if stat.S_IMODE(mode) & 0o077:
        yield Finding("first key", "fail", f"others can read {path}", f"chmod 600 {path}")
    else:
        yield Finding("first key", "ok", str(path))


def _database(loaded: LoadedSettings) -> Iterator[Finding]:
    """Asks PostgreSQL, where it is configured, what a start would need to know."""
    from entrypoints.local_stores import administration

    database = administration(loaded).database
    if not database.is_postgres:
        return
    try:
        facts, revision = database.facts(), database.revision()
    except InterchangeError as error:
        yield Finding("database", "fail", f"{database.place}: {error.message}", "check DATABASE_URL")
        return
    used, there = facts["connections"], facts["connections_max"]
    text = f"{facts['database']} at {database.place}, {used} of {there} connections in use"
    if facts["standby"]:
        yield Finding("database", "fail", f"{text}; it is a standby", "name the primary in DATABASE_URL")
    elif revision != database.newest_revision:
        yield Finding(
            "database", "note", f"{text}; revision {revision or 'none'}", "the next start upgrades it"
        )
    else:
        yield Finding("database", "ok", text)
    if facts["fsync"] != "on":
        yield Finding("database", "note", "fsync is off: a power cut can destroy it", "set fsync = on")
    if facts["row_security"] != "in force":
        yield Finding(
            "database",
            "note",
            "its user is a superuser or has BYPASSRLS: the policies that keep tenants apart do not hold it",
            "connect as a role without either that owns the database (docs/tenancy.md)",
        )
    needed = loaded.settings.storage.database_connections_max * loaded.settings.server.workers
    if needed > there:
        yield Finding(
            "database",
            "fail",
            f"{needed} connections are configured and the server has {there}",
            "lower storage.database_connections_max or raise max_connections",
        )
    if not loaded.environ.get("INTERCHANGE_KEY_PEPPER"):
        yield Finding(
            "key pepper",
            "note",
            "kept in the data directory: keys work on this machine only",
            "give every instance the same INTERCHANGE_KEY_PEPPER",
        )


def _redis(loaded: LoadedSettings) -> Iterator[Finding]:
    from entrypoints.main import redis_facts

    try:
        facts = redis_facts(loaded)
    except InterchangeError as error:
        yield Finding(
            "redis", "fail", error.message, "check REDIS_URL; meanwhile budgets are leased from the database"
        )
        return
    if facts is not None:
        nodes = "" if facts.masters == 1 else f", a Cluster of {facts.masters} masters"
        yield Finding("redis", "ok", f"version {facts.version}{nodes}")
        for complaint in facts.complaints:
            yield Finding("redis", "note", complaint)


def _stores(loaded: LoadedSettings) -> Iterator[Finding]:
    """Opens what is there: the database, and everything the configuration names."""
    from entrypoints.main import planned_provision
    from entrypoints.provisioning import ProvisioningError

    try:
        provided = planned_provision(loaded)
    except ProvisioningError as error:
        for problem in error.problems:
            yield Finding("configuration", "fail", problem)
    except InterchangeError as error:
        yield Finding("database", "fail", error.message, "restore a backup, or move the file away")
    else:
        yield Finding("providers", "ok", ", ".join(provided.providers) or "none yet")
        for warning in provided.warnings:
            yield Finding("configuration", "note", warning)


def _open_files(loaded: LoadedSettings) -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = loaded.settings.limits.max_concurrent_requests
    needed = limit * OPEN_FILES_PER_REQUEST + 256
    if hard != resource.RLIM_INFINITY and hard < needed:
        advice = f"raise the hard limit (ulimit -Hn) to {needed}, or lower MAX_CONCURRENT_REQUESTS"
        return Finding("open files", "note", f"limit {hard}, {limit} requests at once need {needed}", advice)
    return Finding("open files", "ok", f"limit {hard}, {needed} needed for {limit} requests at once")


def _gateway(loaded: LoadedSettings) -> Finding:
    settings = loaded.settings
    if not settings.runs_gateway:
        named = ", ".join(settings.portkey.gateways)
        return Finding("portkey", "ok" if named else "note", named or "not used: calls go direct")
    state = read_state(settings.data_dir / "gateway.json")
    if state.get("url"):
        return Finding("portkey", "ok", f"up at {state['url']}")
    node = shutil.which("node")
    text = f"not up; Node at {node}" if node else "not up; no Node here, one is fetched when needed"
    return Finding("portkey", "note", text, f"see {settings.data_dir / 'portkey'}")


def _server(loaded: LoadedSettings) -> Iterator[Finding]:
    settings = loaded.settings
    running = read_state(settings.data_dir / "server.json")
    if running.get("url"):
        yield _running(ApiClient(str(running["url"]), "", cert_file=running.get("cert_file")))
        return
    host, port = settings.server.host, settings.server.port
    try:
        if port_is_free(host, port):
            yield Finding("server", "ok", f"not running; {reachable_host(host)}:{port} is free")
            return
    except OSError as error:
        yield Finding("server", "fail", f"cannot listen on {host}:{port}: {error.strerror}", "change HOST")
        return
    owner = owner_of(port)
    who = f"process {owner.pid} ({owner.command})" if owner else "another process"
    yield Finding("server", "fail", f"port {port} is held by {who}", f"PORT={port + 1} make run")


def _running(server: ApiClient) -> Finding:
    url = server.url
    try:
        health = server.call("GET", "/health")
    except click.ClickException as error:
        return Finding("server", "fail", error.message)
    status = str(health.get("status", "unknown")) if isinstance(health, dict) else "unknown"
    if status in ("ok", "healthy"):
        return Finding("server", "ok", f"{url}: {status}")
    ill = ", ".join(sorted(_unwell(health))) if isinstance(health, dict) else ""
    return Finding("server", "note", f"{url}: {status}" + (f" ({ill})" if ill else ""))


def _unwell(health: dict[str, Any]) -> Iterator[str]:
    """Which parts of an answer of `/health` say that they are not as they should be."""
    for name in _PARTS:
        part = health.get(name)
        state = part.get("status") if isinstance(part, dict) else part
        if state in ("down", "degraded", "buffering"):
            yield f"{name} {state}"
    providers = health.get("providers")
    if isinstance(providers, dict) and providers.get("usable") == 0:
        yield "no provider usable"


def _print(found: list[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    styles = {"ok": "green", "note": "yellow", "fail": "bold red"}
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in found:
        advice = f"\n→ {finding.advice}" if finding.advice else ""
        table.add_row(
            Text(finding.verdict, style=styles[finding.verdict]), finding.what, Text(finding.text + advice)
        )
    Console().print(table)
