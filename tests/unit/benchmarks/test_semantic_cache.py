"""The replay behind the figures of verified reuse, on a handful of questions."""

import numpy as np

from benchmarks.semantic.learning import Network, NetworkSettings
from benchmarks.semantic.policies import Threshold, Verified, replay
from benchmarks.semantic.questions import Pair
from benchmarks.semantic.stream import Line, shuffled
from domain.caching.prior_minilm import MINILM
from domain.caching.verified import VerifiedModel

GROUPS = [["How do I boil an egg?", "How can I boil an egg?"], ["Why is the sky blue?"]]
TEXTS = [text for group in GROUPS for text in group]
ROWS = {text: number for number, text in enumerate(TEXTS)}
VECTORS = np.array([[1.0, 0.0], [0.98, 0.2], [0.0, 1.0]], dtype=np.float32)
VECTORS /= np.linalg.norm(VECTORS, axis=1, keepdims=True)
EVERYTHING = frozenset({0, 1})


def line(seed: int = 0) -> Line:
    return Line(shuffled(GROUPS, (), seed), ROWS, VECTORS)


def test_a_hit_on_the_same_cluster_is_right_and_is_not_kept_itself() -> None:
    outcome = replay(line(), Threshold(0.9), EVERYTHING)
    assert (outcome.asked, outcome.oracle, outcome.hits, outcome.wrong) == (3, 1, 1, 0)


def test_a_hit_on_another_cluster_is_wrong() -> None:
    outcome = replay(line(), Threshold(-1.0), EVERYTHING)
    assert outcome.hits == 1 + outcome.wrong


def test_only_counted_clusters_count() -> None:
    assert replay(line(), Threshold(0.9), frozenset({1})) == (1, 0, 0, 0)


def test_verified_reuse_decides_as_the_product_does() -> None:
    reuse = Verified(VerifiedModel(MINILM), 0.05, learns=True)
    outcome = replay(line(), reuse, EVERYTHING)
    assert outcome.wrong == 0
    assert reuse.rates.looked_for == 3
    assert reuse.takes(Pair("Is it so?", "Is it so?", True, "f", "", ""), 1.0)
    assert not reuse.takes(Pair("Is it so?", "Is it not so?", False, "f", "", ""), 0.99)


def test_a_network_learns_what_separates_labels() -> None:
    chance = np.random.RandomState(0)
    features = chance.randn(2_000, 3)
    labels = (features[:, 0] > 0).astype(float)
    network = Network(3, NetworkSettings(units=4, passes=40), 0).fit(features, labels)
    assert ((network.chance(features) > 0.5) == (labels > 0)).mean() > 0.95
