"""What tells how likely the answer to one question is right for another, as a short row of numbers.

All lie within [-2, 2], so one odd pair cannot move what is learned far. Names and order are part of every
shipped prior: change them only together with `domain.caching.prior`.
"""

from itertools import pairwise
from typing import Final

from domain.caching.reading import Reading

Features = tuple[float, ...]

LEXICAL: Final = (
    "distance", "distance_root", "margin", "jaccard", "words_jaccard", "letters", "new_only", "kept_only",
    "substituted", "added", "same_content", "same_order", "same_words", "typo", "rare_new", "rare_kept",
    "name_missing", "name_shared", "asking_same", "asking_one", "tense", "voice", "sentences", "length",
    "length_ratio", "moved_words", "number_shared", "negated", "short",
)  # fmt: skip
MARGIN_MAX: Final = 0.3
LONE_MARGIN: Final = 0.1
"""Taken for the margin where there is no other candidate."""


def lexical(new: Reading, kept: Reading, similarity: float, margin: float | None) -> Features:
    """`similarity` is the cosine of the two; `margin` how much less similar the next candidate with another
    answer is, None: there is none."""
    here, there = set(new.content), set(kept.content)
    only_new, only_kept = here - there, there - here
    shared = len(here) - len(only_new)
    union = max(1, shared + len(only_new) + len(only_kept))
    all_here, all_there = set(new.words), set(kept.words)
    all_union = max(1, len(all_here | all_there))
    typo = _typo(only_new, only_kept)
    distance = min(1.0, max(0.0, 1.0 - similarity))
    names_here, names_there = set(new.names), set(kept.names)
    sizes = sorted((len(new.words), len(kept.words)))
    same_order = float(new.content == kept.content)
    return (
        2.0 * min(distance, 0.5),
        2.0 * min(distance, 0.5) ** 0.5,
        5.0 * min(MARGIN_MAX, max(-MARGIN_MAX, LONE_MARGIN if margin is None else margin)),
        shared / union,
        len(all_here & all_there) / all_union,
        _letters(new, kept),
        min(4, len(only_new)) / 2,
        min(4, len(only_kept)) / 2,
        float(len(only_new) == 1 and len(only_kept) == 1),
        float(len(only_new) + len(only_kept) == 1),
        float(not only_new and not only_kept),
        same_order,
        float(new.words == kept.words),
        typo,
        min(12, max(map(len, only_new), default=0)) / 6,
        min(12, max(map(len, only_kept), default=0)) / 6,
        min(2, len(names_here - all_there - names_there) + len(names_there - all_here - names_here)) / 1.0,
        min(2, len(names_here & names_there)) / 2,
        float(new.asking == kept.asking and bool(new.asking)),
        float(bool(new.asking) != bool(kept.asking)),
        float(new.past != kept.past),
        float(new.passive != kept.passive),
        min(3, abs(new.sentences - kept.sentences)) / 2,
        min(30, sizes[1]) / 15,
        sizes[0] / max(1, sizes[1]),
        _moved(new.content, kept.content),
        float(bool(new.numbers) and new.numbers == kept.numbers),
        float(new.negations > 0),
        float(min(len(here), len(there)) <= 1),
    )


def _letters(new: Reading, kept: Reading) -> float:
    """Dice of letter pairs, over what is not the same word anyway as well."""
    here, there = _pairs(" ".join(new.words)), _pairs(" ".join(kept.words))
    return 2 * len(here & there) / max(1, len(here) + len(there))


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}


def _typo(only_new: set[str], only_kept: set[str]) -> float:
    """How alike the most alike words are that only one of the texts has: 1 for all but equal."""
    best = 0.0
    if len(only_new) <= 4 and len(only_kept) <= 4:
        for one in only_new:
            pairs = _pairs(one)
            for other in only_kept:
                if abs(len(one) - len(other)) <= 2 and len(one) > 3:
                    best = max(best, 2 * len(pairs & _pairs(other)) / max(1, len(one) + len(other) - 2))
    return best


def _moved(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    """Share of neighbours among the shared words that stand in another order."""
    places = {word: place for place, word in enumerate(other)}
    order = [places[word] for word in one if word in places]
    if len(order) < 2:
        return 0.0
    return sum(1 for a, b in pairwise(order) if b < a) / (len(order) - 1)
