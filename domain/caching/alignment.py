"""How well two questions cover each other, word by word: what one vector for each text cannot tell."""

from typing import NamedTuple


class Coverage(NamedTuple):
    """How well the words of one text are covered by the other. Words are what carries meaning: no
    punctuation, articles, auxiliaries. A word's match is the greatest cosine of its vector, read in its
    sentence, to one of any word of the other text.
    """

    words: int
    """How many; 0: the text has none, and every number below is 1."""
    lowest: float
    second_lowest: float
    mean: float
    weak: int
    """Words whose match is below 0.5."""
    doubtful: int
    """Words whose match is below 0.7, the weak ones included."""


class Alignment(NamedTuple):
    """What two texts are to each other. Cosines lie in [-1, 1]."""

    new: Coverage
    kept: Coverage
    swap: float
    """Cosine, in their sentences, of the two words that are covered worst, one of each text: high where one
    word stands in another's place. 1 where either has no words."""
    swap_plain: float
    """The same for the words alone, as the model knows them outside any sentence."""
    moved: float
    """How far matched words lie apart, as a share of the text: 0 in the same order, 1 at opposite ends."""
