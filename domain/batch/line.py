"""One line of a batch: a request with the caller's own id for it."""

from typing import Final, NamedTuple

from domain.batch.batch import PROBLEMS_MAX, BatchProblem

ENDPOINTS: Final = (
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/messages",
)
"""Paths whose requests a batch may hold."""
CUSTOM_ID_CHARS_MAX: Final = 512


class BatchLine(NamedTuple):
    """A line that was understood. `number` counts from 1; `body` is the request as it stands there."""

    number: int
    custom_id: str
    url: str
    body: bytes


class UnreadableLine(Exception):
    """A line that is no request of a batch; `param` is the field."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


class LineCheck:
    """Judges the lines of one batch in order; afterwards `problems` says what is wrong with the file.

    Holds one digest per line, so its size is bounded by `lines_max`. Problems beyond PROBLEMS_MAX are
    counted, not kept.
    """

    def __init__(self, endpoint: str, lines_max: int) -> None:
        self._endpoint = endpoint
        self._lines_max = lines_max
        self._seen: dict[str, int] = {}
        self.lines = 0
        self.wrong = 0
        self.problems: list[BatchProblem] = []

    @property
    def full(self) -> bool:
        """Whether there is nothing more to learn from further lines."""
        return self.lines > self._lines_max

    def take(self, line: BatchLine) -> None:
        """Counts a line and notes what is wrong with it."""
        self.lines += 1
        if self.full:
            self._note(
                "too_many_lines", f"a batch may have at most {self._lines_max} lines", line.number, None
            )
            return
        first = self._seen.setdefault(line.custom_id, line.number)
        if first != line.number:
            self._note(
                "duplicate_custom_id",
                f"custom_id {line.custom_id[:80]!r} stands on line {first} already; ids must differ",
                line.number,
                "custom_id",
            )
        if line.url != self._endpoint:
            self._note(
                "mismatched_url",
                f"url {line.url[:80]!r} is not the batch's endpoint {self._endpoint!r}",
                line.number,
                "url",
            )

    def refuse(self, number: int, error: UnreadableLine) -> None:
        """Counts a line that could not be read."""
        self.lines += 1
        self._note(error.code, error.message, number, error.param)

    def end(self) -> None:
        """The file is over."""
        if self.lines == 0:
            self._note("empty_file", "the file has no lines", None, None)

    def _note(self, code: str, message: str, line: int | None, param: str | None) -> None:
        self.wrong += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(BatchProblem(code, message, line, param))
