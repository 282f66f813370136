"""The bill of materials has to hold every locked package, or there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LOCK = "alpha==1.0 \\\n    --hash=sha256:00\nbeta==2.1 ; sys_platform == 'win32' \\\n    --hash=sha256:01\n"


def bill_of(tmp_path: Path, components: list[dict[str, object]]) -> "subprocess.CompletedProcess[str]":
    """The script with a tool that writes these components, whatever the lock says."""
    lock, tool = tmp_path / "runtime.lock", tmp_path / "tool"
    lock.write_text(LOCK)
    said = json.dumps({"components": components})
    tool.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"open(sys.argv[sys.argv.index('--output-file') + 1], 'w').write({said!r})\n"
    )
    tool.chmod(0o755)
    command = [ROOT / ".ci" / "sbom", tool, lock, tmp_path / "dist" / "sbom.json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT)


def component(name: str, version: str, *, hashed: bool = True) -> dict[str, object]:
    reference = {"type": "distribution", "hashes": [{"alg": "SHA-256", "content": "00"}] if hashed else []}
    return {"name": name, "version": version, "externalReferences": [reference]}


def test_a_bill_with_every_locked_package_is_fine(tmp_path: Path) -> None:
    done = bill_of(tmp_path, [component("alpha", "1.0"), component("beta", "2.1")])

    assert done.returncode == 0, done.stderr
    assert "2 packages" in done.stdout


@pytest.mark.parametrize(
    "second", [component("gamma", "2.1"), component("beta", "2.0"), component("beta", "2.1", hashed=False)]
)
def test_a_bill_that_lacks_one_fails_and_names_it(tmp_path: Path, second: dict[str, object]) -> None:
    done = bill_of(tmp_path, [component("alpha", "1.0"), second])

    assert done.returncode == 1
    assert "lacks beta==2.1" in done.stderr
