"""Making the checks of some guardrails on the texts of one body, and what follows from what they say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from application.guardrails.counting import GuardrailCounts
from application.guardrails.texts import Replacements
from application.ports.guardrail import (
    GuardrailFailed,
    OutsideCheck,
    OutsideGuardrails,
    OutsideVerdict,
    Said,
    SchemaReader,
)
from application.ports.pii_detector import PiiDetector
from domain.errors import GuardrailBlocked, GuardrailUnavailable, StoreUnavailable
from domain.guardrails.checks import Placed, match_patterns, measure, suspect
from domain.guardrails.terms import (
    NOTHING,
    Action,
    Found,
    Guardrail,
    InjectionRule,
    OnError,
    PatternRule,
    SchemaRule,
    SecretRule,
    SizeRule,
    TextSeen,
    Verdict,
    spoken,
    texts_in,
)
from domain.privacy.placeholders import redaction
from domain.privacy.policy import Where
from domain.residency.place import ANYWHERE, Residency

NAMED_MAX: Final = 20
"""Verdicts that an error names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Whose texts these are, and where they may be read."""

    request_id: str
    tenant_id: str
    route: str
    answer: bool = False
    residency: Residency = ANYWHERE


@dataclass(slots=True)
class Outcome:
    """What came of all checks of one body: what they object to, and the texts as they go on."""

    texts: list[TextSeen]
    before: tuple[TextSeen, ...]
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def blocked(self) -> bool:
        return any(verdict.action is Action.BLOCK for verdict in self.verdicts)

    @property
    def objecting(self) -> tuple[str, ...]:
        """Names of all that object, whatever follows from it."""
        return tuple(dict.fromkeys(each.guardrail for each in self.verdicts))

    @property
    def warnings(self) -> tuple[str, ...]:
        """Names of those that only warn."""
        warned = (each.guardrail for each in self.verdicts if each.action is Action.WARN)
        return tuple(dict.fromkeys(warned))

    @property
    def replacements(self) -> Replacements:
        """What stands for what."""
        return {
            (old.where, old.text): new.text
            for old, new in zip(self.before, self.texts, strict=True)
            if new.text != old.text
        }

    def refuse(self, *, answer: bool) -> None:
        """Raises GuardrailBlocked with everything that was objected to, where something blocks."""
        if self.blocked:
            raise blocked(self.verdicts, answer=answer)


def blocked(verdicts: Iterable[Verdict], *, answer: bool) -> GuardrailBlocked:
    """The error of one request or answer: names of guardrails, reasons and places, never content."""
    against = [verdict for verdict in verdicts if verdict.action is Action.BLOCK][:NAMED_MAX]
    what = "the answer was" if answer else "the request was"
    return GuardrailBlocked(
        f"{what} stopped by {'; '.join(map(str, against))}",
        param=None if answer else (against[0].path or None),
        details={
            "guardrails": [
                {"name": each.guardrail, "reason": each.reason, "where": each.where, "field": each.path}
                for each in against
            ]
        },
    )


class Checks:
    """Stateless apart from what it counts. Guardrails are asked in their order, those outside last, and only
    where nothing blocked before."""

    def __init__(
        self,
        detector: PiiDetector,
        schemas: SchemaReader,
        outside: OutsideGuardrails,
        counts: GuardrailCounts,
    ) -> None:
        self.detector = detector
        self.counts = counts
        self._schemas = schemas
        self._outside = outside

    def here(
        self,
        guardrails: Sequence[Guardrail],
        texts: Sequence[TextSeen],
        unread: Sequence[tuple[Where, str]] = (),
        nobody_waits: Event | None = None,
    ) -> Outcome:
        """What needs nobody else. Synchronous; changes nothing but the counts.

        Raises GuardrailUnavailable as soon as nobody waits for it any more.
        """
        outcome = Outcome(list(texts), tuple(texts))
        for guardrail in guardrails:
            if nobody_waits is not None and nobody_waits.is_set():
                raise GuardrailUnavailable("nobody waits for it any more")
            hidden = next((path for where, path in unread if where in guardrail.where), None)
            if hidden is not None:
                self._object(outcome, guardrail, Found(reason="cannot be read as text"), path=hidden)
            elif not guardrail.outside:
                self._say(outcome, guardrail)
        return outcome

    async def outside(self, guardrails: Sequence[Guardrail], outcome: Outcome, body: Body) -> None:
        """Asks those outside, one after another, each for the texts as the one before left them."""
        for guardrail in guardrails:
            if guardrail.outside and not outcome.blocked:
                await self._ask(outcome, guardrail, body)

    async def _ask(self, outcome: Outcome, guardrail: Guardrail, body: Body) -> None:
        placed = texts_in(outcome.texts, guardrail.where)
        if not placed:
            return
        check = OutsideCheck(
            guardrail, body.request_id, body.tenant_id, body.route, body.answer, [seen for _, seen in placed]
        )
        try:
            if not body.residency.allows(getattr(guardrail.rule, "region", "") or None):
                raise GuardrailFailed("outside_of_its_region")
            said = await self._outside.judge(check)
            found = _understood(said, placed)
        except GuardrailFailed as failed:
            self._failed(outcome, guardrail, failed.reason)
            return
        if said.action is Said.WARN and found.objects:
            self.counts.note(guardrail.name, "warn")
            outcome.verdicts.append(Verdict(guardrail.name, Action.WARN, found.reason))
            return
        self._object(outcome, guardrail, found)

    def _say(self, outcome: Outcome, guardrail: Guardrail) -> None:
        placed = texts_in(outcome.texts, guardrail.where)
        try:
            found = self._found(guardrail, placed)
        except (GuardrailFailed, StoreUnavailable) as failed:
            reason = failed.reason if isinstance(failed, GuardrailFailed) else "unavailable"
            self._failed(outcome, guardrail, reason)
            return
        self._object(outcome, guardrail, found)

    def _found(self, guardrail: Guardrail, placed: Placed) -> Found:
        rule = guardrail.rule
        if isinstance(rule, PatternRule):
            return match_patterns(rule, placed)
        if isinstance(rule, SizeRule):
            return measure(rule, placed)
        if isinstance(rule, InjectionRule):
            return suspect(rule, placed)
        if isinstance(rule, SecretRule):
            return self._secrets(rule, placed)
        if isinstance(rule, SchemaRule):
            return self._schema(rule, placed)
        return NOTHING

    def _secrets(self, rule: SecretRule, placed: Placed) -> Found:
        kinds: set[str] = set()
        at: TextSeen | None = None
        replaced: dict[int, str] = {}
        for index, seen in placed:
            pieces: list[str] = []
            end = 0
            for finding in self.detector.find(seen.text, rule.kinds):
                kinds.add(finding.kind.value)
                at = at or seen
                pieces += (seen.text[end : finding.start], redaction(finding.kind))
                end = finding.end
            if pieces:
                replaced[index] = "".join((*pieces, seen.text[end:]))
        return (
            Found(reason=f"holds {', '.join(sorted(kinds))}", at=at, replaced=replaced) if kinds else NOTHING
        )

    def _schema(self, rule: SchemaRule, placed: Placed) -> Found:
        for _, seen in placed:
            if seen.where is Where.ANSWERS and spoken(seen.path):
                problem = self._schemas.problem(rule.schema, seen.text)
                if problem:
                    return Found(reason=problem, at=seen)
        return NOTHING

    def _failed(self, outcome: Outcome, guardrail: Guardrail, reason: str) -> None:
        """A check that was not made: what that counts as is the guardrail's to say."""
        self.counts.note(guardrail.name, "error")
        action = Action.WARN if guardrail.action is Action.WARN else Action.BLOCK
        if guardrail.on_error is OnError.ALLOW:
            action = Action.WARN
        outcome.verdicts.append(Verdict(guardrail.name, action, f"could not be asked ({reason})"))

    def _object(self, outcome: Outcome, guardrail: Guardrail, found: Found, path: str = "") -> None:
        if not found.objects:
            self.counts.note(guardrail.name, "pass")
            return
        action = guardrail.action
        replaced = found.replaced if action is Action.REDACT else {}
        if action is Action.REDACT and not _put(outcome.texts, replaced):
            action = Action.BLOCK
        self.counts.note(guardrail.name, action.name.lower())
        at = found.at
        where = at.where.value if at is not None else ""
        outcome.verdicts.append(
            Verdict(guardrail.name, action, found.reason, where, at.path if at is not None else path)
        )


def _put(texts: list[TextSeen], replaced: Mapping[int, str]) -> bool:
    """Puts texts in the places of others; says whether that could be done."""
    if not replaced or any(texts[index].sealed for index in replaced):
        return False
    for index, text in replaced.items():
        texts[index] = texts[index]._replace(text=text)
    return True


def _understood(said: OutsideVerdict, placed: Placed) -> Found:
    """Raises GuardrailFailed for an answer that contradicts itself."""
    if said.action is Said.ALLOW:
        return NOTHING
    replaced: dict[int, str] = {}
    if said.action is Said.REDACT:
        if len(said.replacements) != len(placed):
            raise GuardrailFailed("malformed")
        replaced = {
            index: text
            for (index, seen), text in zip(placed, said.replacements, strict=True)
            if text is not None and text != seen.text
        }
    return Found(reason=said.reason or "objects", at=None, replaced=replaced)
