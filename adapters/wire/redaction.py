"""Keeping keys out of what is said: messages and bodies that a provider sent, however it spells a key.

Every search here takes time in proportion to the text: some providers repeat what a caller sent them.
"""

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

import msgspec

REDACTED: Final = "[redacted]"
SPELLINGS_FROM_CHARS: Final = 8
"""Shorter secrets are sought as they are only: their other spellings could be anything."""
_SECRETS: Final = re.compile(
    r"(?i)\b(?:bearer\s{1,8}(?=\S{0,80}\d)\S{8,}"
    r"|(?:sk|pk|rk|gsk|xai|pplx|hf|r8|ik)[-_](?=[\w.\-]{0,80}[\d*])[\w*.\-]{8,}|AIza[\w\-*]{10,}"
    r"|eyJ[\w\-]{8,2000}\.[\w\-]{8,}\.[\w\-]*|ya29\.[\w\-.]{16,}|(?-i:AKIA|ASIA)[A-Z0-9]{12,})"
)
"""Keys of vendors, and the tokens that identity providers give for a while."""
_SIGNED_TEXT: Final = "The Canonical String for this request"
"""AWS quotes what should have been signed, session tokens and all."""


def redacted(text: str, secrets: Sequence[str] = ()) -> str:
    """The text without keys: the given ones in any usual spelling, and whatever looks like one."""
    for spelling in _spellings(tuple(secrets)):
        text = text.replace(spelling, REDACTED)
    before, quoted, _ = text.partition(_SIGNED_TEXT)
    return _SECRETS.sub(REDACTED, before.rstrip() if quoted else text)


def redacted_body(body: bytes, secrets: Sequence[str]) -> bytes:
    """The same for a body; one without keys stays byte for byte as it is.

    JSON may spell any character as an escape, so its texts are looked at as they will be read.
    """
    text = body.decode("utf-8", "surrogateescape")
    clean = redacted(text, secrets)
    if "\\" in clean:
        clean = _redacted_json(clean, secrets)
    return body if clean == text else clean.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=64)
def _spellings(secrets: tuple[str, ...]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for secret in filter(None, secrets):
        found[secret] = None
        if len(secret) >= SPELLINGS_FROM_CHARS:
            for quoted in (quote(secret, safe=""), quote(secret, safe="/"), quote(secret, safe="+/=")):
                found[quoted] = None
                found[re.sub("%..", lambda match: match[0].lower(), quoted)] = None
            found.update(dict.fromkeys(_in_base64(secret.encode("utf-8", "surrogateescape"))))
    # The longest first, so that no spelling leaves an end of another.
    return tuple(sorted(found, key=len, reverse=True))


def _in_base64(secret: bytes) -> Iterable[str]:
    """What is the same in every encoding of a text with the secret somewhere in it."""
    for before in range(3):
        # The first characters depend on what stands before, the last on what follows.
        skipped = (0, 2, 3)[before]
        known = (before + len(secret)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + secret).decode()[skipped:known]


def _redacted_json(text: str, secrets: Sequence[str]) -> str:
    try:
        value = msgspec.json.decode(text)
        clean = _clean(value, secrets)
        return text if clean == value else msgspec.json.encode(clean).decode()
    except (msgspec.DecodeError, UnicodeError):
        return text  # no JSON, so nothing reads its escapes
    except RecursionError:
        return REDACTED


def _clean(value: Any, secrets: Sequence[str]) -> Any:
    if isinstance(value, str):
        return redacted(value, secrets)
    if isinstance(value, list):
        return [_clean(one, secrets) for one in value]
    if isinstance(value, dict):
        return {redacted(name, secrets): _clean(one, secrets) for name, one in value.items()}
    return value
