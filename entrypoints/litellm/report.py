"""What became of every field, with its line."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from entrypoints.config.problems import ConfigPath, path_text


class Outcome(Enum):
    """What an operator has to know about one field."""

    TAKEN = "taken"
    CHANGED = "changed"
    """Taken, but it means something a little different here; the message says what."""
    NO_COUNTERPART = "no_counterpart"
    ATTENTION = "needs_attention"
    """Somebody has to decide or do something before the result can be relied on."""


class Finding(NamedTuple):
    """One field. `line` counts from 1; None where a field has no line, as in a database."""

    line: int | None
    path: str
    outcome: Outcome
    message: str


class Report:
    """Collects findings; each path is told once per message."""

    def __init__(self, lines: Mapping[ConfigPath, int]) -> None:
        self._lines = lines
        self._findings: dict[Finding, None] = {}

    def taken(self, path: ConfigPath, message: str) -> None:
        self._add(path, Outcome.TAKEN, message)

    def changed(self, path: ConfigPath, message: str) -> None:
        self._add(path, Outcome.CHANGED, message)

    def no_counterpart(self, path: ConfigPath, message: str) -> None:
        self._add(path, Outcome.NO_COUNTERPART, message)

    def attention(self, path: ConfigPath, message: str) -> None:
        self._add(path, Outcome.ATTENTION, message)

    def _add(self, path: ConfigPath, outcome: Outcome, message: str) -> None:
        self._findings[Finding(self._line(path), path_text(path), outcome, message)] = None

    def _line(self, path: ConfigPath) -> int | None:
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None

    @property
    def findings(self) -> Sequence[Finding]:
        """In the order of the file."""
        return sorted(self._findings, key=lambda one: (one.line is None, one.line or 0))

    def counts(self) -> dict[str, int]:
        """How many of each outcome."""
        counts = dict.fromkeys((outcome.value for outcome in Outcome), 0)
        for finding in self._findings:
            counts[finding.outcome.value] += 1
        return counts


class Reference(str):
    """Text with `${…}` in it that is meant as a reference; any other text is escaped when it is written."""

    __slots__ = ()


ENVIRONMENT_PREFIX: Final = "os.environ/"


def referenced(value: Any) -> Any:
    """`os.environ/NAME` as `${NAME}`; everything else as it is."""
    if isinstance(value, str) and value.startswith(ENVIRONMENT_PREFIX):
        return Reference(f"${{{value.removeprefix(ENVIRONMENT_PREFIX).strip()}}}")
    return value


def escaped(value: Any) -> Any:
    """The same data with plain text made safe for our interpolation."""
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {name: escaped(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [escaped(inner) for inner in value]
    return value
