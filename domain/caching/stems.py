"""English words without their endings, so that `punched` and `punching` are one word."""

from functools import lru_cache
from typing import Final

_FORMS: Final = """
be: been being; have: has had having; do: did done does doing; go: went gone; get: got gotten; make: made;
take: took taken; see: saw seen; know: knew known; think: thought; find: found; give: gave given; tell:
told; become: became; leave: left; feel: felt; bring: brought; begin: began begun; keep: kept; hold: held;
write: wrote written; hear: heard; mean: meant; meet: met; run: ran; pay: paid; sit: sat; speak: spoke
spoken; lead: led; grow: grew grown; lose: lost; fall: fell fallen; send: sent; build: built; understand:
understood; draw: drew drawn; break: broke broken; spend: spent; rise: rose risen; drive: drove driven;
buy: bought; wear: wore worn; choose: chose chosen; catch: caught; teach: taught; throw: threw thrown;
steal: stole stolen; win: won; sell: sold; fight: fought; eat: ate eaten; drink: drank drunk; sing: sang
sung; swim: swam swum; forget: forgot forgotten; hide: hid hidden; bite: bit bitten; forgive: forgave
forgiven; shake: shook shaken; say: said; show: shown; sleep: slept; stand: stood; ride: rode ridden; fly:
flew flown; lay: lain; feed: fed; lend: lent; man: men; woman: women; child: children kids kid; foot:
feet; tooth: teeth; mouse: mice; person: people persons; life: lives; wife: wives; good: better best; bad:
worse worst; die: dying died dead; lie: lying; study: studies studying studied; use: used using
"""
_IRREGULAR: Final = {
    form: row.partition(":")[0].strip() for row in _FORMS.split(";") for form in row.partition(":")[2].split()
}
_DISTINCT: Final = frozenset(["better", "best", "worse", "worst", "dead"])
"""Forms that mean something else than their base."""
_WHOLE: Final = frozenset(
    [
        "this",
        "his",
        "its",
        "is",
        "was",
        "has",
        "does",
        "us",
        "as",
        "news",
        "physics",
        "economics",
        "mathematics",
        "always",
        "perhaps",
        "yes",
        "gas",
        "bus",
        "during",
        "thing",
        "something",
        "anything",
        "nothing",
        "everything",
        "king",
        "ring",
        "spring",
        "string",
        "morning",
        "evening",
        "red",
        "bed",
        "need",
        "feed",
        "speed",
        "seed",
        "indeed",
        "hundred",
        "species",
        "series",
    ]
)


@lru_cache(maxsize=16384)
def stem(word: str) -> str:
    """A word in lower case without its ending."""
    if word in _DISTINCT or word in _WHOLE or len(word) <= 3:
        return word
    base = _IRREGULAR.get(word)
    if base is not None:
        return _cut(base)
    return _cut(word)


def _cut(word: str) -> str:
    if len(word) <= 3 or not word.isalpha() or word in _WHOLE:
        return word
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("es") and word[:-2].endswith(("s", "x", "z", "ch", "sh")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    if word.endswith("ied") and len(word) > 4:
        return word[:-3] + "y"
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and _VOWELS & set(word[: -len(ending)]):
            word = word[: -len(ending)]
            if word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


_VOWELS: Final = frozenset("aeiouy")
