"""What a caller asks of the answer cache, from its headers.

`cache-control` is not read: fetch and browsers send `no-cache` or `max-age=0` about their own cache whenever
a page is reloaded, and proxies add it, so routes would stop saving without anybody having asked for it.
"""

import re
from collections.abc import Iterator
from typing import Final, NoReturn

from domain.caching.policy import NO_WISH, TTL_S_MAX, CacheWish
from domain.errors import InvalidRequest

TAGS_MAX: Final = 16
_CACHE: Final = "x-interchange-cache"
_TTL: Final = "x-interchange-cache-ttl"
_NAMESPACE: Final = "x-interchange-cache-namespace"
_TAGS: Final = "x-interchange-cache-tags"
_NAMES: Final = tuple(name.encode() for name in (_CACHE, _TTL, _NAMESPACE, _TAGS))
_SIGNS: Final = "letters, digits and . _ : / -"
_NAMESPACE_FORM: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_TAG_FORM: Final = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_SECONDS_FORM: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NO_STORE: Final = frozenset({"no-store", "off"})
_WORDS: Final = _NO_STORE | {"no-cache"}


def read_cache_wish(headers: dict[bytes, bytes]) -> CacheWish:
    """Names of `headers` are in lower case. NO_WISH where none of them is there.

    Raises:
        InvalidRequest: a value that cannot be read; names the header and what is allowed.
    """
    if not any(name in headers for name in _NAMES):
        return NO_WISH
    words = {word.lower() for word in _listed(headers, _CACHE)}
    if not words <= _WORDS:
        _refuse(_CACHE, "must be a comma list of no-store (or off) and no-cache")
    return CacheWish(
        no_store=not words.isdisjoint(_NO_STORE),
        no_cache="no-cache" in words,
        ttl_s=_seconds(_text(headers, _TTL)),
        namespace=_namespace(_text(headers, _NAMESPACE)),
        tags=_tags(headers),
    )


def _seconds(text: str) -> float | None:
    if not text:
        return None
    seconds = float(text) if _SECONDS_FORM.fullmatch(text) else 0.0
    if not 0 < seconds <= TTL_S_MAX:
        _refuse(_TTL, f"must be a number of seconds above 0, at most {TTL_S_MAX:.0f}")
    return seconds


def _namespace(text: str) -> str:
    if text and _NAMESPACE_FORM.fullmatch(text) is None:
        _refuse(_NAMESPACE, f"must be 1-128 {_SIGNS}")
    return text


def _tags(headers: dict[bytes, bytes]) -> tuple[str, ...]:
    tags = tuple(dict.fromkeys(_listed(headers, _TAGS)))
    if len(tags) > TAGS_MAX or not all(_TAG_FORM.fullmatch(tag) for tag in tags):
        _refuse(_TAGS, f"must be a comma list of at most {TAGS_MAX} tags, each of 1-64 {_SIGNS}")
    return tags


def _listed(headers: dict[bytes, bytes], name: str) -> Iterator[str]:
    for part in _text(headers, name).split(","):
        if part := part.strip():
            yield part


def _text(headers: dict[bytes, bytes], name: str) -> str:
    return headers.get(name.encode(), b"").decode("utf-8", "replace").strip()


def _refuse(name: str, rule: str) -> NoReturn:
    raise InvalidRequest(f"{name} {rule}", param=name)
