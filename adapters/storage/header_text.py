"""Any text as a header carries it: what is not plain ASCII as an encoded word of RFC 2047."""

import base64
import re
from typing import Final

_ENCODED_WORD: Final = re.compile(r"=\?utf-8\?([bq])\?([^?]*)\?=", re.IGNORECASE)
_PLAIN: Final = re.compile(r"[!-~](?:[ -~]*[!-~])?")


def sent_text(value: str) -> str:
    if _PLAIN.fullmatch(value) and "=?" not in value:
        return value
    return f"=?UTF-8?B?{base64.b64encode(value.encode()).decode()}?="


def heard_text(value: str) -> str:
    """Words that are encoded otherwise than they say stay as they are."""
    return _ENCODED_WORD.sub(_decoded, value)


def _decoded(word: re.Match[str]) -> str:
    form, text = word[1].lower(), word[2]
    try:
        if form == "b":
            return base64.b64decode(text, validate=True).decode()
        quoted = re.sub(r"=([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), text.replace("_", " "))
        return quoted.encode("latin-1").decode()
    except ValueError:
        return word[0]
