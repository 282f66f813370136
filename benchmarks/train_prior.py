"""Learns the prior of verified reuse and writes `domain/caching/prior_minilm.py`.

    python -m benchmarks.train_prior [--data DIR] [--precision fp32] [--out FILE]

Learned from clusters of questions alone; CheckList pairs are never shown, so they measure what guards and
features carry over to. About 3 % of the clusters' labels are wrong (equal questions in different clusters):
in two folds, pairs that the other fold is sure about are taken out (`--clean`), the rest is learned with a
likelihood that knows of noise.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.semantic.learning import Network, NetworkSettings
from benchmarks.semantic.questions import Asked, clusters, data_directory, texts_of
from benchmarks.semantic.stream import Line, shuffled
from benchmarks.semantic.vectors import Matrix, vectors_of
from domain.caching.guards import different_readings, why_not_similar
from domain.caching.pair_features import LEXICAL, Features, lexical
from domain.caching.policy import CachePolicy
from domain.caching.prior import ONLINE, Prior
from domain.caching.reading import read

LEARNED_WITH = "fp32"
"""Precision of the vectors."""
SIMILARITY_MIN = 0.70
CLEAN = 0.9
UNITS = 12
VARIANCES = (0.09, 0.16)
"""Of the online model's bias, and of its weight on the network's log-odds."""
VARIANCE_OF_OTHERS = 0.04
SERVED_BY_CHANCE = (0.6, 0.4)
SERVED_FROM = (0.95, 0.90, 0.98)
POLICY = CachePolicy()
Numbers = NDArray[np.float64]


class Lessons(NamedTuple):
    """Features, labels and folds of pairs."""

    features: Numbers
    labels: Numbers
    folds: Numbers


def pairs_of(line: Line, counted: frozenset[int], serves: Callable[[Asked, Features, bool], bool]) -> Lessons:
    """Every pair that guards let pass, asked by one of `counted` clusters.

    `serves` says whether a question is answered from a pair, and so not kept itself; it is told whether that
    would be right.
    """
    features: list[Features] = []
    labels, folds = [], []
    kept: list[bool] = []
    for number, asked in enumerate(line.stream):
        served = False
        for near in line.nearest(number, kept, SIMILARITY_MIN):
            new, other = read(asked.text), read(near.asked.text)
            if different_readings(new, other):
                continue
            row, same = lexical(new, other, near.similarity, near.margin), asked.cluster == near.asked.cluster
            if asked.cluster in counted:
                features.append(row)
                labels.append(same)
                folds.append(asked.cluster % 2)
            served = served or serves(asked, row, same)
        kept.append(not served)
    return Lessons(np.array(features), np.array(labels, dtype=float), np.array(folds))


def all_lessons(
    groups: Sequence[Sequence[str]], rows: dict[str, int], vectors: Matrix, counted: frozenset[int]
) -> Lessons:
    """Replays in which right pairs are served by chance, then some in which what those taught decides.

    What is kept, and so what is near, depends on what is served.
    """
    lines = [Line(shuffled(groups, (), seed), rows, vectors) for seed in range(1, 4)]
    chance = np.random.RandomState(0)
    lessons: list[Lessons] = []
    for line, share in zip(lines, SERVED_BY_CHANCE, strict=False):

        def by_chance(_: Asked, __: Features, same: bool, share: float = share) -> bool:
            return same and chance.random() < share

        lessons.append(pairs_of(line, counted, by_chance))
    first = together(lessons)
    network = Network(len(LEXICAL), NetworkSettings(), 0).fit(first.features, first.labels)
    for line, least in zip(lines, SERVED_FROM, strict=True):

        def sure(asked: Asked, row: Features, _: bool, least: float = least) -> bool:
            return not why_not_similar(asked.text, 0, POLICY) and network.chance(np.array([row]))[0] > least

        lessons.append(pairs_of(line, counted, sure))
    return together(lessons)


def together(lessons: Sequence[Lessons]) -> Lessons:
    return Lessons(*(np.concatenate(parts) for parts in zip(*lessons, strict=True)))


def learn(
    features: Numbers, labels: Numbers, folds: Numbers, clean: float, settings: NetworkSettings
) -> list[Network]:
    """Several networks that differ in their start."""
    keep = np.ones(len(labels), dtype=bool)
    if clean < 1:
        for fold in (0, 1):
            others = folds != fold
            seen = Network(features.shape[1], settings, 0).fit(features[others], labels[others])
            sure = seen.chance(features[~others]) > clean
            keep[np.flatnonzero(~others)[sure & (labels[~others] == 0)]] = False
        print(
            f"taken out as mislabelled: {100 * (1 - keep.mean()):.2f} % of {len(keep):,} pairs",
            file=sys.stderr,
        )
    return [Network(features.shape[1], settings, seed).fit(features[keep], labels[keep]) for seed in range(2)]


def learned(
    groups: Sequence[Sequence[str]],
    rows: dict[str, int],
    vectors: Matrix,
    counted: frozenset[int],
    *,
    clean: float = CLEAN,
    units: int = UNITS,
) -> Prior:
    """The prior that questions of `counted` clusters teach, asked among all."""
    features, labels, folds = all_lessons(groups, rows, vectors, counted)
    assert features.shape[1] == len(LEXICAL)
    network = Network.mean_of(learn(features, labels, folds, clean, NetworkSettings(units=units)))
    few = len(ONLINE) - 2
    return Prior(
        embedder="minilm-l6-v2",
        means=_short(network.means),
        scales=_short(1 / network.deviations),
        hidden=tuple(
            _short([*weights, bias])
            for weights, bias in zip(network.inner.T, network.inner_bias, strict=True)
        ),
        out=_short([*network.outer[:, 0], network.outer_bias[0]]),
        weights=(0.0, 4.0, *([0.0] * few)),
        variances=(*VARIANCES, *([VARIANCE_OF_OTHERS] * few)),
    )


def _short(numbers: Sequence[float] | Numbers) -> tuple[float, ...]:
    return tuple(float(f"{number:.4g}") for number in numbers)


def digest_of(groups: Sequence[Sequence[str]]) -> str:
    """Names the clusters a prior was learned from."""
    return hashlib.sha256(json.dumps([list(group) for group in groups]).encode()).hexdigest()[:16]


def module_text(prior: Prior, digest: str, about: str) -> str:
    hidden = ",\n        ".join(map(repr, prior.hidden))
    return f'''"""Numbers learned by `benchmarks.train_prior` {about}. Not to be edited by hand."""

# ruff: noqa: E501
from typing import Final

from domain.caching.prior import Prior

LEARNED_FROM: Final = "{digest}"
"""Names the clusters, so that nobody measures on what was learned."""

# fmt: off
MINILM: Final = Prior(
    embedder="{prior.embedder}",
    means={prior.means},
    scales={prior.scales},
    hidden=(
        {hidden},
    ),
    out={prior.out},
    weights={prior.weights},
    variances={prior.variances},
)
# fmt: on
'''


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data")
    parser.add_argument("--precision", default=LEARNED_WITH)
    parser.add_argument(
        "--half", type=int, choices=(0, 1), help="learn from one half only, to test on the other"
    )
    parser.add_argument("--clean", type=float, default=CLEAN)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--out", default="domain/caching/prior_minilm.py")
    options = parser.parse_args()
    groups = clusters(data_directory(options.data))
    if not groups:
        sys.exit("no clusters to learn from")
    texts = texts_of(groups, ())
    rows = {text: number for number, text in enumerate(texts)}
    vectors = vectors_of(texts, options.precision)
    prior = learned(
        groups, rows, vectors, frozenset(range(len(groups))), clean=options.clean, units=options.units
    )
    about = f"from {len(groups):,} clusters of questions"
    Path(options.out).write_text(module_text(prior, digest_of(groups), about))
    print(f"{options.out}: {about}")


if __name__ == "__main__":
    main()
