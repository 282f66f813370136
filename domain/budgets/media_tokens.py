"""How many tokens a provider can count for one picture or a stretch of sound, at most.

From what the makers publish about how they cut pictures up; the dearest cut of a family is taken, because the
size of a picture behind an address is not known. A family that is not listed has no bound of its own: its
context window is the bound then.
"""

from typing import Final

IMAGE_TOKENS_MAX: Final[tuple[tuple[str, int], ...]] = (
    # 2,833 and 5,667 for each of at most eight tiles: billed like the larger model's pictures.
    ("gpt-4o-mini", 48_169),
    # 32-pixel patches, 10,000 at full detail, times the largest published factor for small models.
    ("gpt-", 24_600),
    ("chatgpt-", 24_600),
    ("o1", 24_600),
    ("o3", 24_600),
    ("o4", 24_600),
    # Width times height by 750, after scaling to 2,576 pixels at the long edge.
    ("claude", 8_848),
    # 258 a tile: sixteen to twenty-four tiles of a picture of 3,072 pixels, and the whole; 2,240 later.
    ("gemini", 6_450),
)
"""(how the model's name begins, after any maker's prefix, tokens). The first that fits counts."""

BEYOND_WINDOW: Final = ("gpt-4o-mini",)
"""Models whose pictures are billed as more tokens than they take of the context window."""

SOUND_BYTES_PER_S_MIN: Final = 500
"""Of encoded speech: 4 kilobit per second, below which no usual speech codec goes. Sound made to deceive
(minutes of silence in a lossless container) can be longer than its bytes let on."""
SOUND_TOKENS_PER_S_MAX: Final = 50
"""The makers publish 10 to 32."""
DRAWN_IMAGE_TOKENS_MAX: Final[tuple[tuple[str, int], ...]] = (("gpt-image-1", 6_640),)
"""Of one picture made: 6,240 at the largest size and best quality, and a hundred for each of three previews
with some room."""


def image_tokens_max(model: str) -> int | None:
    """Tokens that one picture to look at can count at most; None where nothing bounds it."""
    return _first(IMAGE_TOKENS_MAX, model)


def drawn_image_tokens_max(model: str) -> int | None:
    """Tokens that one picture which is made can count at most; None where nothing bounds it."""
    return _first(DRAWN_IMAGE_TOKENS_MAX, model)


def counts_beyond_window(model: str) -> bool:
    """Whether the model's pictures are billed beyond its context window."""
    return bare_name(model).startswith(BEYOND_WINDOW)


def bare_name(model: str) -> str:
    """The model's name without its maker's or region's prefix: `us.anthropic.claude-x` -> `claude-x`."""
    name = model.lower().rpartition("/")[2]
    at = min((found for found in (name.find(word) for word in _MAKERS_MODELS) if found > 0), default=0)
    return name[at:]


_MAKERS_MODELS: Final = ("gpt-", "claude", "gemini", "chatgpt-")


def _first(table: tuple[tuple[str, int], ...], model: str) -> int | None:
    name = bare_name(model)
    return next((tokens for beginning, tokens in table if name.startswith(beginning)), None)
