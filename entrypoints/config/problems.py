"""What is wrong with a configuration, said so that it can be fixed without reading code."""

from dataclasses import dataclass
from typing import NamedTuple

ConfigPath = tuple[str | int, ...]
"""Keys and list positions from the top of the configuration down to one value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigProblem:
    """One error or warning. `origin` is a file name, `environment` or `command line`.

    `line` and `column` count from 1 and are None where there is no file.
    """

    origin: str
    path: str
    message: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = self.origin if self.line is None else f"{self.origin}:{self.line}:{self.column}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class Finding(NamedTuple):
    """Something to tell about one path; a fatal one keeps the server from starting."""

    path: ConfigPath
    message: str
    fatal: bool = False


class ConfigError(Exception):
    """The configuration cannot be used; `problems` are all that were found, in the file's order."""

    def __init__(self, problems: tuple[ConfigProblem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def path_text(path: ConfigPath) -> str:
    """('routes', 'chat', 'targets', 0) -> 'routes.chat.targets[0]'."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
