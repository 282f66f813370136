"""What a server does not load while no route compares questions."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
        print(json.dumps(sorted(name for name in sys.modules if "." not in name)))

asyncio.run(serve(sys.argv[1]))
"""


def loaded(data_dir: Path, cache: str) -> set[str]:
    """The packages that a process has once it could serve."""
    (data_dir / "interchange.yaml").write_text(
        f"cache: {cache}\nroutes: {{r: {{targets: [sim-openai/small]}}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", SERVER, str(data_dir)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1])) & set(HEAVY)


@pytest.mark.parametrize("cache", ["{}", "{mode: exact}"])
def test_without_comparing_questions_nothing_of_it_is_imported(tmp_path: Path, cache: str) -> None:
    assert loaded(tmp_path, cache) == set()


def test_comparing_questions_makes_the_index_and_no_model_where_hashed_words_do(tmp_path: Path) -> None:
    assert loaded(tmp_path, "{mode: observe, embedder: hashing}") == {"numpy", "usearch"}
