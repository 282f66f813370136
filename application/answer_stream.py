"""What a caller's stream is relayed from, wherever it comes from."""

from typing import Protocol

from application.ports.llm import Block


class AnswerStream(Protocol):
    """What a caller's stream is relayed from: an `OpenedStream`, a reader of a shared one, or a replay."""

    headers: tuple[tuple[str, str], ...]

    async def next_block(self) -> Block | None: ...

    def close(self) -> None: ...
