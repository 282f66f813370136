"""What the architecture tests look at: the files under version control, parsed where it matters."""

import ast
import gc
import subprocess
from collections.abc import Iterable, Iterator
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


def naming(words: Iterable[str], *rooms: str) -> tuple[Path, ...]:
    """Python files of these rooms that have one of the words in them. Whoever uses such a name is among them,
    as no name can be written in parts; and most need not be parsed then, which is what takes long."""
    wanted = tuple(words)
    return tuple(path for path in modules(*rooms) if any(word in text(path) for word in wanted))


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return _parsed(path)


def _parsed(path: Path) -> ast.Module:
    collecting = gc.isenabled()
    gc.disable()  # it would look again and again at every tree there is, and find nothing to collect
    try:
        return ast.parse(text(path), filename=str(path))
    finally:
        if collecting:
            gc.enable()


def statements(path: Path) -> Iterator[ast.stmt]:
    """All of them, however deep: a tenth of the nodes that `ast.walk` visits. The tree is not kept."""
    pending: list[ast.AST] = [_parsed(path)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.stmt):
            yield node
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            pending.extend(getattr(node, part, ()))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))
