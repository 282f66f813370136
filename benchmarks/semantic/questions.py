"""The data (see its own README): clusters of questions with one answer, and pairs that are traps or not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

CLUSTERS: Final = "qqp_clusters*.jsonl"
CHECKLIST: Final = "checklist*.jsonl"


class Asked(NamedTuple):
    text: str
    cluster: int


class Pair(NamedTuple):
    """`same`: an answer to `kept` may be given to `new`."""

    new: str
    kept: str
    same: bool
    file: str
    capability: str
    test: str


def data_directory(given: str | None) -> Path:
    """Beside the project, unless given."""
    if given:
        return Path(given)
    return Path(__file__).resolve().parents[2].parent / "shared" / "data" / "semantic_cache"


def clusters(directory: Path) -> list[list[str]]:
    """Each at least two texts."""
    rows = [row for path in sorted(directory.glob(CLUSTERS)) for row in _rows(path)]
    found = [list(dict.fromkeys(row["questions"])) for row in rows]
    return [each for each in found if len(each) > 1]


def checklist(directory: Path) -> list[Pair]:
    return [
        Pair(
            row["q2"],
            row["q1"],
            bool(row["label"]),
            path.stem,
            row.get("capability", ""),
            row.get("test", ""),
        )
        for path in sorted(directory.glob(CHECKLIST))
        for row in _rows(path)
    ]


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.strip()]


def texts_of(groups: Sequence[Sequence[str]], pairs: Sequence[Pair]) -> list[str]:
    """Every text once, in order."""
    texts = [text for group in groups for text in group]
    texts += [text for pair in pairs for text in (pair.new, pair.kept)]
    return list(dict.fromkeys(texts))
