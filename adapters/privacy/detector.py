"""The detector: finders beside each other, and one rule for what stands where they overlap."""

from collections.abc import Set
from functools import lru_cache
from typing import Final

from adapters.privacy.addresses import EmailFinder, MachineFinder
from adapters.privacy.codes import CodeFinder, WalletFinder
from adapters.privacy.finder import Finder, last_token
from adapters.privacy.numbers import NumberFinder
from adapters.privacy.reading import CONTEXT_CHARS, Reading
from adapters.privacy.secret_forms import JWT_CHARS_MAX
from adapters.privacy.secrets import KeyFinder, PhraseFinder
from application.ports.pii_detector import Scanned
from domain.privacy.finding import CLUSTER_CHARS_MAX, Finding, clusters_of, resolved, standing
from domain.privacy.kinds import PiiKind

_FINDERS: Final[tuple[Finder, ...]] = (
    EmailFinder(),
    NumberFinder(),
    MachineFinder(),
    CodeFinder(),
    WalletFinder(),
    KeyFinder(),
    PhraseFinder(),
)


class PatternDetector:
    """PiiDetector with patterns, check digits and the words beside a number. Knows all kinds."""

    context_chars: int = CONTEXT_CHARS
    hold_chars_max: int = 2 * JWT_CHARS_MAX + CLUSTER_CHARS_MAX

    def find(self, text: str, kinds: Set[PiiKind], start: int = 0) -> list[Finding]:
        reading = Reading(text, start)
        found = _candidates(reading, kinds)
        return _led_back(reading, resolved(found)) if found else found

    def scan(self, text: str, kinds: Set[PiiKind], start: int = 0) -> Scanned:
        reading = Reading(text, start)
        places = [finder.open_from(reading) for finder in _finders(frozenset(kinds))]
        reading.until = closed = max(reading.start, min([last_token(reading.text), *places]))
        findings: list[Finding] = []
        for cluster in clusters_of(each for each in _candidates(reading, kinds) if each.start < closed):
            if cluster.end > closed:
                closed = cluster.start
                break
            findings += standing(cluster)
        end = max(start, reading.folded.origin_end(closed))
        return Scanned(_led_back(reading, findings), end)


def _candidates(reading: Reading, kinds: Set[PiiKind]) -> list[Finding]:
    found: list[Finding] = []
    for finder in _finders(frozenset(kinds)):
        if finder.may_hold(reading):
            found += [each for each in finder.candidates(reading, kinds) if each.kind in kinds]
    return found


@lru_cache(maxsize=256)
def _finders(kinds: frozenset[PiiKind]) -> tuple[Finder, ...]:
    """A policy's kinds are the same set for each of its requests."""
    return tuple(finder for finder in _FINDERS if not finder.kinds.isdisjoint(kinds))


def _led_back(reading: Reading, findings: list[Finding]) -> list[Finding]:
    if not findings:
        return findings
    origin, origin_end = reading.folded.origin, reading.folded.origin_end
    return [each._replace(start=origin(each.start), end=origin_end(each.end)) for each in findings]
