"""Who may import whom, and which calls are forbidden where."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.architecture.repository import ROOT, modules, name_of, naming, statements, tree

COMPOSITION_ROOT = {
    "entrypoints/containers.py",
    "entrypoints/store_container.py",
    "entrypoints/lifespan.py",
    "entrypoints/access_opening.py",
    "entrypoints/alerts_opening.py",
    "entrypoints/audit_opening.py",
    "entrypoints/backup_opening.py",
    "entrypoints/outgoing.py",
    "entrypoints/cache_opening.py",
    "entrypoints/connectors_opening.py",
    "entrypoints/event_streams_opening.py",
    "entrypoints/events_opening.py",
    "entrypoints/experiments_opening.py",
    "entrypoints/guardrails_opening.py",
    "entrypoints/identity_opening.py",
    "entrypoints/integrations_opening.py",
    "entrypoints/limits_opening.py",
    "entrypoints/logs_opening.py",
    "entrypoints/metrics_opening.py",
    "entrypoints/openapi_opening.py",
    "entrypoints/provider_endpoints.py",
    "entrypoints/questions_opening.py",
    "entrypoints/recording_opening.py",
    "entrypoints/stores_opening.py",
    "entrypoints/erasing_opening.py",
    "entrypoints/tenancy_opening.py",
    "entrypoints/tracing_opening.py",
    "entrypoints/usage_opening.py",
    "entrypoints/usage_writer_opening.py",
    "entrypoints/vault_opening.py",
}
CLOCKS = {
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "monotonic"),
    ("time", "perf_counter"),
}


def imported(path: Path) -> set[str]:
    """Full names of the modules a file imports."""
    names: set[str] = set()
    for node in statements(path):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def clock_calls(path: Path) -> list[str]:
    return [
        f"{name_of(path)}:{node.lineno}"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and (node.func.value.id, node.func.attr) in CLOCKS
    ]


def test_the_import_contracts_hold() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run(
        [str(command), "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_only_the_composition_root_imports_adapters() -> None:
    strangers = [
        f"{name_of(path)}: {name}"
        for path in naming(["adapters"], "entrypoints", "application", "domain", "contracts")
        if name_of(path) not in COMPOSITION_ROOT
        for name in imported(path)
        if name.split(".")[0] == "adapters"
    ]

    assert not strangers


def test_the_domain_imports_the_standard_library_and_itself() -> None:
    allowed = sys.stdlib_module_names | {"domain"}
    strangers = [
        f"{name_of(path)}: {name}"
        for path in modules("domain")
        for name in imported(path)
        if name.split(".")[0] not in allowed
    ]

    assert not strangers


def test_rules_and_use_cases_are_told_the_time() -> None:
    asking = {name for _, name in CLOCKS}
    asked = [place for path in naming(asking, "domain", "application") for place in clock_calls(path)]

    assert not asked


def test_the_domain_is_synchronous() -> None:
    waiting = [
        f"{name_of(path)}:{node.lineno}"
        for path in naming(["async", "await"], "domain")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)
    ]

    assert not waiting


def test_no_test_replaces_our_own_parts_with_mocks() -> None:
    mocked = [name_of(p) for p in naming(["mock"], "tests", "contracts") if "unittest.mock" in imported(p)]

    assert not mocked
