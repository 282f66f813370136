"""What begins with a digit: cards, national numbers, telephone numbers."""

import re
from collections.abc import Iterator, Set
from typing import Final

from adapters.privacy.cards import card_candidates
from adapters.privacy.national_ids import ANY_NUMBER, NUMBERS, NationalId, is_checked
from adapters.privacy.phones import is_date, phone_candidates
from adapters.privacy.reading import Reading
from domain.privacy.context import AFTER_CHARS, speaks_against, speaks_for
from domain.privacy.finding import Finding
from domain.privacy.kinds import PiiKind

NUMBER_CHARS_MAX: Final = 48
"""With its separators and its extension."""

_START: Final = re.compile(
    r"(?<![0-9A-Za-z_])(?![0-9][ .\-/()]{1,3}[0-9][ .\-/()])(?=[0-9](?:[ .\-/()]{0,3}[0-9]){5})"
)
"""Six digits at least, and not one and one and one: nobody writes a number so, and lists are written so."""
_PREFIX_CHARS: Final = 2
"""`+(` before the first digit."""
_EXTENSION_CHARS: Final = 20
_DECIDED_CHARS: Final = AFTER_CHARS + _EXTENSION_CHARS
_TAIL_CHARS: Final = NUMBER_CHARS_MAX + _DECIDED_CHARS
_RUN: Final = re.compile(r"[+(]{0,2}[0-9](?:[ .\-/()]{0,3}[0-9])*(?:[ .\-/()]{1,3}\Z)?")
_DIGITS_MIN: Final = 6
_CONTINUES: Final = re.compile(r"[0-9][.\-]")


class NumberFinder:
    """Finder."""

    kinds: frozenset[PiiKind] = frozenset(
        {PiiKind.CREDIT_CARD, PiiKind.PHONE_NUMBER, *(entry.kind for entry in NUMBERS)}
    )

    def may_hold(self, reading: Reading) -> bool:
        return reading.has_numbers()

    def candidates(self, reading: Reading, kinds: Set[PiiKind]) -> Iterator[Finding]:
        entries = [entry for entry in NUMBERS if entry.kind in kinds]
        for match in _START.finditer(reading.text, reading.start):
            if match.start() >= reading.until + _PREFIX_CHARS:
                return
            for found in self._at(reading, match.start(), kinds, entries):
                if found.start >= reading.start and found.end - found.start <= NUMBER_CHARS_MAX:
                    yield found

    def open_from(self, reading: Reading) -> int:
        """A number may grow, and words behind it may say what it is."""
        length = len(reading.text)
        first = max(reading.start, length - _TAIL_CHARS)
        decided = length - _DECIDED_CHARS
        for run in _RUN.finditer(reading.text, first):
            if run.end() == length:
                return run.start()
            if run.end() > decided and sum(map(str.isdigit, run.group())) >= _DIGITS_MIN:
                return run.start()
        return length

    def _at(
        self, reading: Reading, place: int, kinds: Set[PiiKind], entries: list[NationalId]
    ) -> Iterator[Finding]:
        if is_date(reading.text, place):
            return
        if PiiKind.CREDIT_CARD in kinds:
            yield from card_candidates(reading, place)
        for entry in entries if entries and ANY_NUMBER.match(reading.text, place) else ():
            found = national_id_at(reading, place, entry)
            if found is not None:
                yield found
        if PiiKind.PHONE_NUMBER in kinds:
            yield from phone_candidates(reading, place)


def national_id_at(reading: Reading, place: int, entry: NationalId) -> Finding | None:
    """Where a row of digits or a word begins."""
    match = entry.pattern.match(reading.text, place)
    if match is None or _CONTINUES.fullmatch(reading.text[max(0, place - 2) : place]):
        return None
    certain = entry.certain is not None and entry.certain.match(reading.text, place) is not None
    before = reading.before(place)
    said = speaks_for(before, reading.after(match.end()), entry.words)
    if not said and (not certain or speaks_against(before, entry.words)):
        return None
    if not is_checked(entry, match.group()):
        return None
    return Finding(entry.kind, place, match.end(), 0.95 if said else 0.85)
