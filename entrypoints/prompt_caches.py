"""How each kind of provider caches prompts, as their documentation says; answers correct it."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from domain.routing.prompt_cache import SHORT_TTL_S, CacheHabit

_IMPLICIT = CacheHabit(prior=0.7, ttl_s=300.0)
_BY_MARK = CacheHabit(prior=0.95, ttl_s=300.0, long_ttl_s=3600.0, by_mark=True, strict_ttl=True)
_MARKED = _BY_MARK._replace(marks_max=4)
_UNKNOWN = CacheHabit(prior=0.3)

BY_KIND = {
    "anthropic": _MARKED,
    "aws": _BY_MARK,
    "bedrock": _BY_MARK,
    "azure": CacheHabit(prior=0.7, ttl_s=300.0),
    "deepseek": CacheHabit(prior=0.9, ttl_s=3600.0, tokens_min=64),
    "gemini": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "google": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "moonshotai": _IMPLICIT,
    "openai": CacheHabit(prior=0.8, ttl_s=300.0),
    "vertex": CacheHabit(prior=0.6, ttl_s=300.0, tokens_min=1024),
    "x-ai": _IMPLICIT,
    "zai": _IMPLICIT,
}
"""By a provider's kind in the catalogue, or its wire. `_BY_MARK` keeps what is marked, for five minutes or an
hour after its last use; the others find long beginnings by themselves. What depends on the model is below."""

_CLAUDE: Final = re.compile(
    r"claude-(?:(?P<name>[a-z]+)-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d)"
    r"|(?P<old_major>\d)(?:[-.](?P<old_minor>\d))?-(?P<old_name>[a-z]+))"
)
_OPENAI_HOST: Final = re.compile(r"(?:[a-z]{2}\.)?api\.openai\.com")
_NOVA: Final = re.compile(r"nova-(?:micro|lite|pro|premier)")
_NOVA_TOKENS_MIN: Final = 1000
_TERSE_SINCE: Final = (4, 5)
"""From this version on Opus and Haiku keep only prompts four times as long."""
_BEDROCK_SINCE: Final = (3, 7)
"""The first Claude whose prompts Bedrock keeps, a Haiku of 3.5 aside."""
_BEDROCK_LONG_SINCE: Final = (4, 5)


def prompt_cache_of(kind: str, wire: str, model: str = "", *, takes_key: bool = False) -> CacheHabit:
    """The habit of a configured provider with this model. A server of one's own that speaks OpenAI's shape
    is unknown."""
    known = BY_KIND.get(kind)
    if known is None:
        known = BY_KIND[wire] if wire in ("anthropic", "gemini", "bedrock", "vertex") else _UNKNOWN
    claude = _claude(model)
    if wire == "bedrock" or kind in ("aws", "bedrock"):
        return _at_bedrock(known, model, claude)
    if claude is not None and (known.by_mark or wire == "vertex" or kind == "vertex"):
        return _MARKED._replace(tokens_min=_claude_tokens_min(*claude))
    return known._replace(takes_key=True) if takes_key else known


def takes_cache_key(kind: str, base_url: str | None, options: Mapping[str, str], *, public: bool) -> bool:
    """Whether this server is known to take a `prompt_cache_key`: OpenAI's own, and Azure's version-less API.

    Older dated versions of Azure's refuse bodies with names they do not know.
    """
    if kind == "openai":
        return public or bool(_OPENAI_HOST.fullmatch(urlsplit(base_url or "").hostname or ""))
    if kind != "azure" or options.get("api_version", "preview") != "preview":
        return False
    address = base_url or ""
    return "api-version=" not in address and not address.rstrip("/").endswith("/models")


def _claude(model: str) -> tuple[str, tuple[int, int]] | None:
    """(its name, its version) of a Claude, whatever platform's prefix stands before; None for others."""
    found = _CLAUDE.search(model)
    if found is None:
        return None
    major, minor = found["major"] or found["old_major"], found["minor"] or found["old_minor"] or "0"
    return found["name"] or found["old_name"], (int(major), int(minor))


def _claude_tokens_min(name: str, version: tuple[int, int]) -> int:
    if name == "haiku" and version < (4, 0):
        return 2048
    return 4096 if name in ("opus", "haiku") and version >= _TERSE_SINCE else 1024


def _at_bedrock(known: CacheHabit, model: str, claude: tuple[str, tuple[int, int]] | None) -> CacheHabit:
    """Bedrock refuses marks for models whose prompts it does not keep, and a long time for most."""
    if _NOVA.search(model):
        return known._replace(marks_max=4, tokens_min=_NOVA_TOKENS_MIN, long_ttl_s=SHORT_TTL_S)
    if claude is None or (claude[1] < _BEDROCK_SINCE and claude != ("haiku", (3, 5))):
        return known
    long_ttl_s = known.long_ttl_s if claude[1] >= _BEDROCK_LONG_SINCE else SHORT_TTL_S
    return known._replace(marks_max=4, tokens_min=_claude_tokens_min(*claude), long_ttl_s=long_ttl_s)
