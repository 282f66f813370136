"""What `interchange doctor` says about connectors: which drivers are here, and which integrations answer."""

import importlib.util
from collections.abc import Iterator
from typing import Final, NamedTuple

from domain.errors import InterchangeError
from entrypoints.cli.findings import Finding
from entrypoints.config.loading import LoadedSettings


class Driver(NamedTuple):
    """What a connector cannot do without."""

    serves: str
    module: str
    extra: str


DRIVERS: Final = (
    Driver("mysql, mariadb", "aiomysql", "mysql"),
    Driver("oracle", "oracledb", "oracle"),
    Driver("sqlserver", "mssql_python", "mssql"),
    Driver("duckdb", "duckdb", "duckdb"),
    Driver("s3", "aiobotocore", "aws"),
    Driver("azure", "azure.storage.blob", "azure"),
    Driver("gs", "google.cloud.storage", "gcp"),
)
WITHOUT_DRIVER: Final = ("postgresql", "sqlite", "http, https", "file", "mcp")
"""What they need is always installed."""


def connector_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Reaches every integration that is declared or stored, as the server would, once."""
    here = [driver.serves for driver in DRIVERS if installed(driver.module)]
    yield Finding("connectors", "ok", f"drivers for {', '.join((*WITHOUT_DRIVER, *here))}")
    for driver in DRIVERS:
        if driver.serves not in here:
            advice = f"pip install 'interchange[{driver.extra}]'"
            yield Finding("connectors", "note", f"no driver for {driver.serves} ({driver.module})", advice)
    yield from _integrations(loaded)


def installed(module: str) -> bool:
    """Whether it could be imported; nothing is loaded but the packages around it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _integrations(loaded: LoadedSettings) -> Iterator[Finding]:
    from entrypoints.main import integration_facts
    from entrypoints.provisioning import ProvisioningError

    try:
        told = integration_facts(loaded)
    except ProvisioningError as error:
        for problem in error.problems:
            yield Finding("integrations", "fail", problem)
        return
    except InterchangeError as error:
        yield Finding("integrations", "fail", error.message)
        return
    if told is None:
        text = f"{len(loaded.settings.integrations)} declared; nothing is stored yet"
        yield Finding("integrations", "note", text, "they are reached here once a server has run")
        return
    for each in told:
        name = f"{each.tenant_id}/{each.integration_id} ({each.kind}, {each.scheme})"
        if each.paused:
            yield Finding("integrations", "note", f"{name} is {each.paused}")
        elif each.problem:
            advice = f"interchange integrations test {each.integration_id}"
            yield Finding("integrations", "fail", f"{name}: {each.problem}", advice)
        else:
            yield Finding("integrations", "ok", f"{name} answered in {each.latency_ms:.1f} ms")
