"""Taking the texts out of a body, and putting others in their places."""

from collections.abc import Mapping

from application.ports.text_fields import RunningText, TextWork
from domain.guardrails.terms import TextSeen
from domain.privacy.policy import Where

Replacements = Mapping[tuple[Where, str], str]
"""What stands for a text, by its place and its words: frames repeat the same text elsewhere."""


class Gathering(TextWork):
    """Takes texts out and changes nothing."""

    hides_logprobs = False

    def __init__(self) -> None:
        self.texts: list[TextSeen] = []
        self.unread: list[tuple[Where, str]] = []

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:  # noqa: ARG002
        if text:
            self.texts.append(TextSeen(text, where, path))
        return text

    def running(self, where: Where, path: str, before: str = "") -> RunningText:
        return Gathered(self, where, path, before)

    def sealed(self, text: str, where: Where, path: str) -> None:
        if text:
            self.texts.append(TextSeen(text, where, path, sealed=True))

    def running_seal(self, where: Where, path: str) -> RunningText | None:
        return _GatheredSeal(self, where, path, "")

    def unreadable(self, where: Where, path: str) -> None:
        self.unread.append((where, path))


class Replacing(Gathering):
    """Puts texts in the places of others."""

    hides_logprobs = True

    def __init__(self, replacements: Replacements) -> None:
        super().__init__()
        self._replacements = replacements

    def whole(self, text: str, where: Where, path: str, before: str = "") -> str:  # noqa: ARG002
        return self._replacements.get((where, text), text)

    def sealed(self, text: str, where: Where, path: str) -> None:
        """Stays."""

    def running_seal(self, where: Where, path: str) -> RunningText | None:  # noqa: ARG002
        return None


class Gathered(RunningText):
    """A text that goes on when all of it is there."""

    def __init__(self, work: TextWork, where: Where, path: str, before: str) -> None:
        self._work = work
        self._place = (where, path, before)
        self._pieces: list[str] = []

    def feed(self, piece: str) -> str:
        self._pieces.append(piece)
        return ""

    def end(self) -> str:
        where, path, before = self._place
        return self._work.whole("".join(self._pieces), where, path, before)


class _GatheredSeal(Gathered):
    def end(self) -> str:
        where, path, _ = self._place
        self._work.sealed("".join(self._pieces), where, path)
        return ""
