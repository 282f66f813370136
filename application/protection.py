"""What somebody who looked at a request still has to do with its answer."""

from collections.abc import Sequence
from typing import Protocol

from application.answer_stream import AnswerStream
from application.ports.llm import UpstreamAnswer


class Protection(Protocol):
    """Of one request. `answer` and `stream` come before the answer is kept anywhere, the others after that,
    for this caller alone.

    A stream made here closes the one it was made from. What they raise ends the answer with that error.
    """

    async def answer(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        """The whole answer as it may be kept and shown. Raises InterchangeError where it may not be."""
        ...

    def stream(self, stream: AnswerStream) -> AnswerStream:
        """The stream as it may be kept and shown."""
        ...

    def deliver(self, answer: UpstreamAnswer) -> UpstreamAnswer:
        """A fresh or kept answer as this caller gets it."""
        ...

    def deliver_stream(self, stream: AnswerStream) -> AnswerStream:
        """A fresh or kept stream as this caller gets it."""
        ...


def delivered(protections: Sequence[Protection], answer: UpstreamAnswer) -> UpstreamAnswer:
    """The answer as its caller gets it: who looked at the request first has the last word."""
    for protection in reversed(protections):
        answer = protection.deliver(answer)
    return answer
