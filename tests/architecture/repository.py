"""What the architecture tests look at: the files under version control, parsed once."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("domain", "application", "adapters", "entrypoints", "contracts")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Files under version control; outside a checkout, all files of the rooms."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout.splitlines()
    except (OSError, subprocess.CalledProcessError):
        return tuple(
            path for room in (*ROOMS, "tests") for path in (ROOT / room).rglob("*") if path.is_file()
        )
    return tuple(path for name in listed if (path := ROOT / name).is_file())


@cache
def modules(*rooms: str) -> tuple[Path, ...]:
    """Python files of these rooms."""
    return tuple(p for p in tracked_files() if p.suffix == ".py" and p.relative_to(ROOT).parts[0] in rooms)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))
