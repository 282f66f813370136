"""What `interchange doctor` says about connectors: which drivers are here, and which integrations answer."""

import ctypes
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
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
ODBC: Final = "mssql_python_odbc"
"""What the driver of SQL Server brings along, which wants libraries of the system."""
WITHOUT_DRIVER: Final = ("postgresql", "sqlite", "http, https", "file", "mcp")
"""What they need is always installed."""


def connector_findings(loaded: LoadedSettings) -> Iterator[Finding]:
    """Reaches every integration that is declared or stored, as the server would, once."""
    here = [driver.serves for driver in DRIVERS if installed(driver.module)]
    yield Finding("connectors", "ok", f"drivers for {', '.join((*WITHOUT_DRIVER, *here))}")
    for driver in DRIVERS:
        if driver.serves not in here:
            advice = f"{sys.executable} -m pip install 'interchange[{driver.extra}]'"
            yield Finding("connectors", "note", f"no driver for {driver.serves} ({driver.module})", advice)
    if installed(ODBC) and (reason := unloadable(ODBC, "libmsodbcsql*")):
        advice = "install what its documentation asks of the system"
        yield Finding("connectors", "note", f"the driver for sqlserver does not load here: {reason}", advice)
    yield from _integrations(loaded)


def installed(module: str) -> bool:
    """Whether it could be imported; nothing is loaded but the packages around it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def unloadable(package: str, pattern: str) -> str:
    """Why none of the shared libraries that a package brings for several systems loads here; empty: one
    does, or there are none."""
    found = importlib.util.find_spec(package)
    reason = ""
    for folder in () if found is None else found.submodule_search_locations or ():
        for library in sorted(Path(folder).rglob(pattern)):
            try:
                ctypes.CDLL(str(library))
            except OSError as error:
                reason = str(error).rpartition("/")[2]
            else:
                return ""
    return reason


def _integrations(loaded: LoadedSettings) -> Iterator[Finding]:
    from entrypoints.main import integration_facts
    from entrypoints.provisioning import ProvisioningError

    try:
        told = integration_facts(loaded)
    except ProvisioningError:
        return  # `doctor` said which, beside the rest of the configuration
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
            yield Finding(
                "integrations", "ok", f"{name} was opened and answered, {each.latency_ms:.0f} ms in all"
            )
