"""What a server does not load while no route compares questions."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.sql_world import migrated_sqlite

pytest.importorskip("numpy", reason="the extra `semantic` is not installed")

HEAVY = ("numpy", "ctranslate2", "usearch")
SERVER = """
import asyncio, json, sys
from pathlib import Path
from entrypoints.lifespan import open_faces
from entrypoints.settings import load_settings

async def serve(data_dir):
    environ = {"INTERCHANGE_DATA_DIR": data_dir, "INTERCHANGE_SIMULATOR_URL": "http://127.0.0.1:9"}
    async with open_faces(load_settings(environ, config_path=Path(data_dir) / "interchange.yaml")):
        print(json.dumps(sorted(name for name in sys.modules if "." not in name)), flush=True)

for data_dir in sys.argv[1:]:
    asyncio.run(serve(data_dir))
"""
LIGHT = ("{}", "{mode: exact}")
COMPARING = "{mode: observe, embedder: hashing}"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The packages that a process has once it could serve, with each cache in turn: what one loads stays, so
    that whatever loads nothing comes first."""
    directories: list[str] = []
    for cache in (*LIGHT, COMPARING):
        data_dir = tmp_path_factory.mktemp("data")
        (data_dir / "interchange.yaml").write_text(
            f"cache: {cache}\nroutes: {{r: {{targets: [sim-openai/small]}}}}\n"
        )
        if directories:  # the first one makes its database itself, which loads nothing of it either
            shutil.copyfile(migrated_sqlite(), data_dir / "interchange.db")
        directories.append(str(data_dir))
    done = subprocess.run(
        [sys.executable, "-c", SERVER, *directories],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    told = [set(json.loads(line)) & set(HEAVY) for line in done.stdout.splitlines() if line.startswith("[")]
    return dict(zip((*LIGHT, COMPARING), told, strict=True))


@pytest.mark.parametrize("cache", LIGHT)
def test_without_comparing_questions_nothing_of_it_is_imported(
    loaded: dict[str, set[str]], cache: str
) -> None:
    assert loaded[cache] == set()


def test_comparing_questions_makes_the_index_and_no_model_where_hashed_words_do(
    loaded: dict[str, set[str]],
) -> None:
    assert loaded[COMPARING] == {"numpy", "usearch"}
