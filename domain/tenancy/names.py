"""Names that people read: no two that look alike may be different ones, and none may hide what it says."""

import re
import unicodedata
from typing import Final

from domain.errors import InvalidRequest

_INVISIBLE: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
_SCRIPT_OF: Final = re.compile(
    r"^(LATIN|GREEK|CYRILLIC|ARMENIAN|CHEROKEE|COPTIC|GEORGIAN|HEBREW|ARABIC|DEVANAGARI|THAI|HANGUL|HIRAGANA"
    r"|KATAKANA|CJK|FULLWIDTH|HALFWIDTH|MATHEMATICAL|MODIFIER|CIRCLED|PARENTHESIZED)\b"
)
_ALIKE: Final = frozenset({"LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "CHEROKEE", "COPTIC"})
"""Scripts with letters that look like those of the others."""


def check_shown_name(text: str, param: str, *, chars_max: int) -> str:
    """The name, unchanged.

    Raises:
        InvalidRequest: empty or too long; invisible or direction-changing characters; another spelling than
            the one that NFKC makes of it (fullwidth letters, ligatures); letters of scripts that look alike
            in one name; spaces at the ends or two in a row.
    """
    if not text or len(text) > chars_max:
        raise _refused(param, chars_max, "characters")
    if text.isascii():
        if not text.isprintable() or text != text.strip() or "  " in text:
            raise _refused(param, chars_max, "printable characters, with single spaces and none at the ends")
        return text
    if any(unicodedata.category(char) in _INVISIBLE for char in text):
        raise _refused(param, chars_max, "visible characters; some of these change how the name is shown")
    if unicodedata.normalize("NFKC", text) != text:
        raise _refused(param, chars_max, "characters in their plain form (NFKC)")
    if text != text.strip() or "  " in text or any(char.isspace() and char != " " for char in text):
        raise _refused(param, chars_max, "single spaces and none at the ends")
    if len(_scripts(text) & _ALIKE) > 1:
        raise _refused(param, chars_max, "letters of one script; some of these look like others")
    return text


def _scripts(text: str) -> set[str]:
    found = set()
    for char in text:
        if char.isalpha():
            script = _SCRIPT_OF.match(unicodedata.name(char, ""))
            found.add(script[1] if script else "")
    return found


def _refused(param: str, chars_max: int, allowed: str) -> InvalidRequest:
    return InvalidRequest(f"{param} must be 1-{chars_max} {allowed}", param=param)
