"""The two that read: ours in this process, Presidio in an environment of its own."""

import json
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple, Protocol, Self

from adapters.privacy import phones
from adapters.privacy.detector import PatternDetector
from adapters.privacy.words import PHONES
from benchmarks.pii.texts import KINDS, Span

PRESIDIO: Final = "2.2.366"
SCORE_MIN: Final = 0.4
"""What Presidio itself is surer of: it is given the threshold that serves it best on these texts."""


class CannotStart(Exception):
    """Presidio could not be installed or started."""


class Reading(NamedTuple):
    found: list[list[Span]]
    taken_s: float


class Reader(Protocol):
    name: str

    def read(self, texts: Sequence[str]) -> Reading: ...


class Ours:
    """Reader. `without`: words beside telephone numbers that it is made to forget."""

    name = "Interchange"

    def __init__(self, without: Collection[str] = ()) -> None:
        vars(phones)["PHONES"] = PHONES._replace(words=PHONES.words - frozenset(without))
        self._detector = PatternDetector()
        self._kinds = frozenset(KINDS)

    def read(self, texts: Sequence[str]) -> Reading:
        begun = time.perf_counter()
        found = [self._detector.find(text, self._kinds) for text in texts]
        taken_s = time.perf_counter() - begun
        return Reading([[Span(each.kind, each.start, each.end) for each in one] for one in found], taken_s)


class Presidio:
    """Reader; a context, which ends the process."""

    name = f"Presidio {PRESIDIO}"

    def __init__(self, work: Path) -> None:
        program = Path(__file__).with_name("presidio_program.py")
        self._process = subprocess.Popen(
            [str(_installed(work)), str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(10)

    def read(self, texts: Sequence[str]) -> Reading:
        """Raises CannotStart: it ended."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"texts": list(texts), "kinds": list(KINDS)}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise CannotStart("Presidio ended")
        answer = json.loads(line)
        found = [
            [Span(kind, start, end) for kind, start, end, score in one if score >= SCORE_MIN]
            for one in answer["spans"]
        ]
        return Reading(found, answer["taken_s"])


def _installed(work: Path) -> Path:
    """Its interpreter, installed the first time. Raises CannotStart."""
    folder = work / "presidio"
    python = folder / "bin" / "python"
    if any(folder.glob(f"lib/*/site-packages/presidio_analyzer-{PRESIDIO}.dist-info")):
        return python
    print("Installing Presidio into an environment of its own (once, some minutes) ...", flush=True)
    install = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    commands = ([sys.executable, "-m", "venv", str(folder)], [*install, f"presidio-analyzer=={PRESIDIO}"])
    log = work / "presidio-install.log"
    try:
        work.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as output:
            for command in commands:
                subprocess.run(command, stdout=output, stderr=output, timeout=900, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise CannotStart(f"Presidio could not be installed (see {log.name}): {error}") from error
    return python
