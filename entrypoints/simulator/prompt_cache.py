"""Prompt caching as providers do it: long prefixes seen before are billed as cached.

OpenAI and Gemini find shared prefixes by themselves, in steps of 128 tokens from 1,024 on. Anthropic
caches what the caller marks, reads the longest part of it that was marked before, and bills the rest of what
is marked as a write. Both forget what was not used for five minutes; marked ones may ask for an hour.
"""

from collections import OrderedDict
from typing import NamedTuple

from entrypoints.simulator.conversation import BYTES_PER_INPUT_TOKEN, Ask, Prefix, Tokens

TOKENS_MIN = 1024
STEP_TOKENS = 128
TTL_S = 300.0
LONG_TTL_S = 3600.0
LOOK_BACK_PARTS = 20
"""So many parts before a mark something marked earlier is found."""
_PROMPTS_MAX = 64
_MARKS_MAX = 512
_PROMPT_BYTES_MAX = 512 * 1024


class _Seen(NamedTuple):
    prompt: bytes
    used_s: float


class PromptCache:
    """Remembers the newest long prompts, so many and so much of each that memory stays bounded."""

    def __init__(self) -> None:
        self._prompts: OrderedDict[tuple[str, str, bytes], _Seen] = OrderedDict()
        self._marked: OrderedDict[tuple[str, str, bytes], tuple[float, float]] = OrderedDict()

    def counted(self, provider: str, ask: Ask, tokens: Tokens, *, now_s: float) -> Tokens:
        """The same tokens, with what was cached. `now_s` is of any clock that only goes forward."""
        if tokens.input < TOKENS_MIN:
            return tokens
        if ask.prefix is not None:
            return self._explicit((provider, ask.model), ask.prefix, tokens, now_s)
        prompt = ask.prompt.encode("utf-8", "surrogatepass")[:_PROMPT_BYTES_MAX]
        least = TOKENS_MIN * BYTES_PER_INPUT_TOKEN
        if len(prompt) < least:
            return tokens
        key = (provider, ask.model, prompt[:least])
        known = self._prompts.get(key)
        self._prompts[key] = _Seen(prompt, now_s)
        self._prompts.move_to_end(key)
        if len(self._prompts) > _PROMPTS_MAX:
            self._prompts.popitem(last=False)
        if known is None or now_s - known.used_s > TTL_S:
            return tokens
        shared = _shared_bytes(known.prompt, prompt) // BYTES_PER_INPUT_TOKEN
        return tokens._replace(cached=min(shared // STEP_TOKENS * STEP_TOKENS, tokens.input))

    def _explicit(self, of: tuple[str, str], prefix: Prefix, tokens: Tokens, now_s: float) -> Tokens:
        marks = [mark for mark in prefix.marks if _tokens_to(prefix, mark.place) >= TOKENS_MIN]
        if not marks:
            return tokens
        end = min(_tokens_to(prefix, marks[-1].place), tokens.input)
        read = min(self._read(of, prefix, now_s), end)
        long_end = max((_tokens_to(prefix, mark.place) for mark in marks if mark.long), default=0)
        written_long = max(0, min(long_end, end) - read)
        for mark in marks:
            ttl_s = LONG_TTL_S if mark.long else TTL_S
            self._keep((*of, prefix.places[mark.place].digest), now_s, ttl_s)
        return tokens._replace(
            cached=read, cache_write=end - read - written_long, cache_write_long=written_long
        )

    def _read(self, of: tuple[str, str], prefix: Prefix, now_s: float) -> int:
        """Tokens of the longest part that was marked before and is still kept; using it keeps it longer."""
        for mark in reversed(prefix.marks):
            for place in range(mark.place, max(-1, mark.place - LOOK_BACK_PARTS), -1):
                key = (*of, prefix.places[place].digest)
                used_s, ttl_s = self._marked.get(key, (0.0, -1.0))
                if ttl_s > 0 and now_s - used_s <= ttl_s:
                    self._keep(key, now_s, ttl_s)
                    return _tokens_to(prefix, place)
        return 0

    def _keep(self, key: tuple[str, str, bytes], now_s: float, ttl_s: float) -> None:
        self._marked[key] = (now_s, ttl_s)
        self._marked.move_to_end(key)
        if len(self._marked) > _MARKS_MAX:
            self._marked.popitem(last=False)


def _tokens_to(prefix: Prefix, place: int) -> int:
    return prefix.places[place].size_bytes // BYTES_PER_INPUT_TOKEN


def _shared_bytes(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
