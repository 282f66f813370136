"""Commands load what they need: no drivers, providers or servers to list keys."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT
from tests.contract.sql_world import migrated_sqlite

HEAVY = (
    "adapters.databases",
    "adapters.mcp",
    "adapters.redis",
    "adapters.rest",
    "adapters.storage",
    "adapters.vectors",
    "alembic",
    "entrypoints.containers",
    "entrypoints.lifespan",
    "numpy",
    "redis",
)
PROGRAM = """
import sys
from entrypoints.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
print("\\n".join(sorted(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["keys", "list", "--json"], ["usage"], ["keys", "--help"], ["--help"]])
def test_a_command_loads_nothing_that_only_servers_need(arguments: list[str], tmp_path: Path) -> None:
    data = tmp_path / "data"
    environ = {"INTERCHANGE_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"}
    if "--help" not in arguments:  # a first run would make the database, with all its migrations
        data.mkdir(mode=0o700)
        shutil.copyfile(migrated_sqlite(), data / "interchange.db")
    seen = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    loaded = set(seen.stdout.splitlines())
    assert "entrypoints.cli.main" in loaded
    assert [name for name in loaded if name.startswith(HEAVY)] == []
