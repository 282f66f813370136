"""How often verified reuse answers, and how often wrongly, beside plain similarity thresholds.

    python -m benchmarks.semantic_cache [--data DIR] [--precision int8|fp32] [--label-noise 0.03]

Three measurements on the same vectors, with 95 % intervals:
replay: all cluster questions in random order against what was kept so far; a hit is wrong if it is of another
cluster. `oracle hits` are the questions of which an earlier one has the same answer. Labels are noisy: some
3 % of the pairs of different clusters are one question, and of what counts as wrong among the hits, most is
that; no policy can get much below;
mixed: the same, with half of the clusters asked for their first question only;
CheckList: pairs that differ in what matters (traps) or do not (good), each by itself; equal texts are hits.

`cold` knows the prior alone. `learning` takes the labels the product would get: of every candidate that was
not served, and of 2 % of the hits. Where the prior was learned from this very data, it is learned anew from
one half of the clusters and measured on the questions of the other, both ways round: with the precision of
vectors that the shipped one was learned with, whichever is measured.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.semantic.policies import NOTHING, Outcome, Reuse, Threshold, Verified, replay, served_pairs
from benchmarks.semantic.questions import Pair, checklist, clusters, data_directory, texts_of
from benchmarks.semantic.stream import Line, halves, shuffled
from benchmarks.semantic.vectors import Matrix, vectors_of
from benchmarks.train_prior import LEARNED_WITH, digest_of, learned
from domain.caching.intervals import exact_interval
from domain.caching.prior import Prior
from domain.caching.prior_minilm import LEARNED_FROM, MINILM
from domain.caching.verified import LabelNoise, VerifiedModel
from domain.errors import InterchangeError

THRESHOLDS = (0.80, 0.90, 0.95)
ERROR_RATES = (0.005, 0.01, 0.02, 0.05)


class World(NamedTuple):
    """What one prior is measured on: only questions of `counted` clusters, which it was not learned from.
    `alone`: of further clusters only the first question is asked."""

    groups: Sequence[Sequence[str]]
    counted: frozenset[int]
    alone: frozenset[int]
    prior: Prior


Make = Callable[[Prior], Reuse]


def share(events: int, trials: int) -> str:
    if not trials:
        return "none"
    low, high = exact_interval(events, trials)
    return f"{100 * events / trials:5.2f} % [{100 * low:.2f}, {100 * high:.2f}]"


def _threshold(similarity_min: float, _: Prior) -> Reuse:
    return Threshold(similarity_min)


def _verified(noise: LabelNoise, error_rate: float, learns: bool, prior: Prior) -> Reuse:
    return Verified(VerifiedModel(prior, noise), error_rate, learns=learns)


class Bench:
    def __init__(
        self, worlds: Sequence[World], vectors: Matrix, rows: dict[str, int], noise: float, seed: int
    ) -> None:
        self._worlds = worlds
        self._vectors = vectors
        self._rows = rows
        self._noise = LabelNoise(noise, 0.002) if noise else LabelNoise()
        self._seed = seed

    def policies(self) -> dict[str, Make]:
        found: dict[str, Make] = {f"threshold {each:.2f}": partial(_threshold, each) for each in THRESHOLDS}
        for learns in (False, True):
            for rate in ERROR_RATES:
                name = f"verified {100 * rate:g} % {'learning' if learns else 'cold'}"
                found[name] = partial(_verified, self._noise, rate, learns)
        return found

    def lines(self, *, mixed: bool) -> list[Line]:
        """One for each world."""
        found = []
        for world in self._worlds:
            groups = [
                group[:1] if mixed and number in world.alone else group
                for number, group in enumerate(world.groups)
            ]
            found.append(Line(shuffled(groups, (), self._seed), self._rows, self._vectors))
        return found

    def replayed(self, make: Make, lines: Sequence[Line]) -> tuple[Outcome, list[Reuse]]:
        total, used = NOTHING, []
        for world, line in zip(self._worlds, lines, strict=True):
            reuse = make(world.prior)
            total = total.plus(replay(line, reuse, world.counted))
            used.append(reuse)
        return total, used

    def served(self, pairs: Sequence[Pair], make: Make) -> list[tuple[Pair, bool]]:
        """Every pair against every prior."""
        near = [
            (pair, float(self._vectors[self._rows[pair.new]] @ self._vectors[self._rows[pair.kept]]))
            for pair in pairs
        ]
        return [one for world in self._worlds for one in served_pairs(near, partial(make, world.prior))]


def print_replays(bench: Bench) -> None:
    print(f"\n{'replay of cluster questions':32}{'of the oracle hits':>26}{'wrong per hit':>28}")
    lines = bench.lines(mixed=False)
    for name, make in bench.policies().items():
        total, used = bench.replayed(make, lines)
        print(
            f"{name:32}{share(total.hits - total.wrong, total.oracle):>26}"
            f"{share(total.wrong, total.hits):>28}",
            end="",
        )
        measured = [reuse.rates for reuse in used if isinstance(reuse, Verified) and reuse.rates.audited]
        audited, wrong = sum(each.audited for each in measured), sum(each.wrong for each in measured)
        print(f"   audits say {share(wrong, audited)}" if audited else "")
    print(
        f"\n{'mixed with single questions':32}{'hit ratio':>26}{'wrong per hit':>28}{'wrong per request':>28}"
    )
    lines = bench.lines(mixed=True)
    for name, make in bench.policies().items():
        total, _ = bench.replayed(make, lines)
        print(
            f"{name:32}{share(total.hits, total.asked):>26}{share(total.wrong, total.hits):>28}"
            f"{share(total.wrong, total.asked):>28}"
        )


def print_checklist(bench: Bench, pairs: Sequence[Pair], details: str) -> None:
    print(f"\n{'CheckList (nothing learned)':32}{'traps served':>26}{'good served':>28}{'swaps served':>28}")
    for name, make in bench.policies().items():
        if "learning" in name:
            continue
        served = bench.served(pairs, make)
        swaps = [(pair, took) for pair, took in served if "swap" in pair.file]
        plain = [(pair, took) for pair, took in served if "swap" not in pair.file]
        cells = [
            share(sum(took for pair, took in those), len(those))
            for those in (
                [one for one in plain if not one[0].same],
                [one for one in plain if one[0].same],
                [one for one in swaps if not one[0].same],
            )
        ]
        print(f"{name:32}{cells[0]:>26}{cells[1]:>28}{cells[2]:>28}")
        if name == details:
            tests: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
            for pair, took in served:
                tests["good" if pair.same else "trap", pair.capability, pair.test].append(took)
            for (kind, capability, test), all_took in sorted(tests.items()):
                print(f"    {kind} {capability:11}{test[:70]:72}{share(sum(all_took), len(all_took))}")


def worlds_of(groups: Sequence[Sequence[str]], rows: dict[str, int], vectors: Matrix) -> list[World]:
    """Half of all clusters are asked for one question only where questions are mixed with single ones."""
    everything = frozenset(range(len(groups)))
    alone = frozenset(range(1, len(groups), 2))
    if digest_of(groups) != LEARNED_FROM:
        return [World(groups, everything, alone, MINILM)]
    print("the shipped prior was learned from this data: learning anew from each half for the other")
    one, other = halves(groups)
    order = [*one, *other]
    first = frozenset(range(len(one)))
    return [
        World(order, first, alone, learned(order, rows, vectors, everything - first)),
        World(order, everything - first, alone, learned(order, rows, vectors, first)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data")
    parser.add_argument("--precision", default="int8", choices=("int8", "fp32"))
    parser.add_argument("--models", type=Path)
    parser.add_argument(
        "--label-noise", type=float, default=0.03, help="share of right pairs that are called wrong"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--details", default="verified 1 % cold", help="policy whose CheckList tests are listed"
    )
    options = parser.parse_args()
    directory = data_directory(options.data)
    groups, pairs = clusters(directory), checklist(directory)
    if not groups and not pairs:
        print(f"skipped: no data in {directory}")
        return
    texts = texts_of(groups, pairs)
    try:
        vectors = vectors_of(texts, options.precision, options.models)
        known = digest_of(groups) == LEARNED_FROM
        taught = vectors_of(texts, LEARNED_WITH, options.models) if known else vectors
    except InterchangeError as error:
        sys.exit(f"skipped: {error.message}")
    rows = {text: number for number, text in enumerate(texts)}
    bench = Bench(worlds_of(groups, rows, taught), vectors, rows, options.label_noise, options.seed)
    print(f"{len(groups):,} clusters, {len(pairs):,} pairs, {len(texts):,} texts, MiniLM {options.precision}")
    if groups:
        print_replays(bench)
    if pairs:
        print_checklist(bench, pairs, options.details)


if __name__ == "__main__":
    main()
