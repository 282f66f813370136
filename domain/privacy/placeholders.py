"""Placeholders: what stands for a value outside, and the way back for whoever sent it.

A placeholder is made from the value and the tenant's own key, so that a client which sends its whole history
again gets the same ones, and nothing has to be kept: whoever may have a value back sent it along.
"""

import hmac
import re
from collections.abc import Callable
from typing import Final

from domain.privacy.kinds import PiiKind

_LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""No digits, so that no placeholder is taken for a number; no vowels, so that none makes a word."""
_LETTERS_EACH: Final = 8
_LETTERS_MAX: Final = 16
NAME: Final = f"[A-Z][A-Z_]{{1,24}}_[{_LETTERS}]{{{_LETTERS_EACH},{_LETTERS_MAX}}}"
"""What is between the brackets, as a pattern."""
PLACEHOLDER: Final = re.compile(f"<({NAME})>|({NAME})")
"""Models sometimes leave the brackets out; the letters are certain enough without them."""
_BEGUN: Final = re.compile(rf"<?(?:[A-Z][A-Z_]{{0,25}}[{_LETTERS}]{{0,{_LETTERS_MAX}}})?\Z")
HELD_CHARS_MAX: Final = 1 + 26 + _LETTERS_MAX
"""No placeholder that is not closed yet is longer."""
_SEPARATORS: Final = re.compile(r"[\s().\-/]+")


def redaction(kind: PiiKind) -> str:
    """What stands for a redacted value."""
    return f"<{kind.value}>"


def normal_form(kind: PiiKind, value: str) -> str:
    """What two spellings of one value have in common."""
    if kind is PiiKind.EMAIL_ADDRESS:
        return value.casefold()
    if kind in _SPACED:
        return _SEPARATORS.sub("", value).upper()
    return value


_SPACED: Final = frozenset(
    {PiiKind.PHONE_NUMBER, PiiKind.CREDIT_CARD, PiiKind.IBAN_CODE, PiiKind.US_SSN, PiiKind.MAC_ADDRESS}
)


class Placeholders:
    """Those of one request. `key` is the tenant's. Not for several threads at once."""

    __slots__ = ("_by_value", "_given_back", "_key", "_names", "values")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._by_value: dict[tuple[PiiKind, str], str] = {}
        self._names: set[str] = set()
        self._given_back: dict[str, str] = {}
        self.values: dict[str, str] = {}
        """What each reversible placeholder, without its brackets, stands for, as it was first written."""

    def stand_for(self, kind: PiiKind, value: str, *, reversible: bool) -> str:
        """The placeholder of a value: the same for every spelling of it, and for no other value.

        Should two values of one request get the same letters, the later one gets more of them; the order
        in a history that is sent again is the same, and so are they.
        """
        place = (kind, normal_form(kind, value))
        name = self._by_value.get(place)
        if name is None:
            letters = _letters(self._key, *place)
            size = _LETTERS_EACH
            name = f"{kind.value}_{letters[:size]}"
            while name in self._names and size < _LETTERS_MAX:
                size += 1
                name = f"{kind.value}_{letters[:size]}"
            self._by_value[place] = name
            self._names.add(name)
        if reversible:
            self.values.setdefault(name, value)
        return f"<{name}>"

    def restored(self, text: str, escape: Callable[[str], str] = str) -> str:
        """The text with the values that its reversible placeholders stand for; unknown ones stay."""
        if not self.values or "_" not in text:
            return text

        def value(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            known = self.values.get(name)
            if known is None:
                return match[0]
            self._given_back[name] = known
            return escape(known)

        return PLACEHOLDER.sub(value, text)

    def masked(self, text: str) -> str:
        """The opposite: the text with placeholders where values stand that `restored` put there."""
        for name, value in sorted(self._given_back.items(), key=lambda each: -len(each[1])):
            text = text.replace(value, f"<{name}>")
        return text


def is_placeholder(text: str) -> bool:
    """Whether the whole text is one of ours, or a redaction."""
    return _OURS.fullmatch(text) is not None


_OURS: Final = re.compile(f"<?{NAME}>?|<(?:{'|'.join(kind.value for kind in PiiKind)})>")


def certain_until(text: str) -> int:
    """Where the end of the text may be the beginning of a placeholder; its length where it is none."""
    found = _BEGUN.search(text, max(0, len(text) - HELD_CHARS_MAX))
    return len(text) if found is None else found.start()


def tenant_key(secret: bytes, tenant_id: str) -> bytes:
    """The key of one tenant's placeholders, from the installation's secret."""
    return hmac.digest(secret, b"privacy placeholders\0" + tenant_id.encode(), "sha256")


def _letters(key: bytes, kind: PiiKind, value: str) -> str:
    number = int.from_bytes(
        hmac.digest(key, f"{kind.value}\0{value}".encode("utf-8", "surrogatepass"), "sha256"), "big"
    )
    letters: list[str] = []
    for _ in range(_LETTERS_MAX):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
