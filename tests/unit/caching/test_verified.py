"""The verified decision: what it serves stays below the accepted share of wrong answers, and it says so."""

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.caching.pair_features import LEXICAL
from domain.caching.policy import CacheMode, CachePolicy
from domain.caching.prior_minilm import MINILM
from domain.caching.priors import prior_of
from domain.caching.verified import STRICTNESS_MAX, LabelNoise, VerifiedModel, candidate_similarity
from tests.thorough import THOROUGH
from tests.unit.caching.verified_stream import Run, Truth, forget_pairs, some_features

SEEDS = 20 if THOROUGH else 4
SEEDS_OF_SUMS = 8 if THOROUGH else 3
"""Where it is the sum over all runs that stays below."""
SEEDS_OF_DRIFTS = 6 if THOROUGH else 2
STEPS = 3_000


@pytest.fixture(scope="module", autouse=True)
def pairs_are_forgotten() -> Iterator[None]:
    yield
    forget_pairs()


@pytest.mark.parametrize("error_rate", [0.005, 0.01, 0.02, 0.05])
def test_wrong_answers_stay_below_the_accepted_share_whatever_the_seed(error_rate: float) -> None:
    runs = [Run(error_rate, seed).go(STEPS) for seed in range(SEEDS)]
    assert [run.error_rate for run in runs if run.error_rate > error_rate] == []
    assert sum(run.rates.hits for run in runs) > 100 * SEEDS


@pytest.mark.parametrize("truth", [Truth(1.0, -1.5), Truth(1.3, 1.0), Truth(0.8, 0.0)])
def test_a_prior_that_is_off_is_put_right_by_labels(truth: Truth) -> None:
    runs = [Run(0.02, seed).go(STEPS, truth) for seed in range(SEEDS_OF_SUMS)]
    wrong, hits = sum(run.wrong for run in runs), sum(run.rates.hits for run in runs)
    assert hits == 0 or wrong / hits < 0.02


def test_after_a_drift_it_serves_less_and_errs_within_bounds_again() -> None:
    wrong = hits = usual = 0
    for seed in range(SEEDS_OF_DRIFTS):
        run = Run(0.02, seed).go(2_000)
        usual += run.rates.hits
        run.go(2_000, Truth(1.0, -1.5))
        before_wrong, before_hits = run.wrong, run.rates.hits
        run.go(3_000, Truth(1.0, -1.5))
        wrong, hits = wrong + run.wrong - before_wrong, hits + run.rates.hits - before_hits
    assert 0 < hits < usual
    assert wrong / hits < 0.02


def test_known_noise_of_labels_costs_no_hits_and_no_truth() -> None:
    noise = LabelNoise(called_wrong=0.03, called_right=0.002)
    aware = [Run(0.02, seed, noise=noise).go(STEPS) for seed in range(SEEDS_OF_SUMS)]
    assert sum(run.wrong for run in aware) / sum(run.rates.hits for run in aware) < 0.02
    assert sum(run.rates.hits for run in aware) > 125 * SEEDS_OF_SUMS


def test_what_observe_forecasts_is_what_verified_then_does() -> None:
    forecast = [Run(0.02, seed, serves=False).go(STEPS).rates for seed in range(SEEDS_OF_SUMS)]
    real = [Run(0.02, 100 + seed).go(STEPS) for seed in range(SEEDS_OF_SUMS)]
    hits = sum(rates.hits for rates in forecast), sum(run.rates.hits for run in real)
    wrong = sum(rates.wrong for rates in forecast)
    assert abs(hits[0] - hits[1]) < 0.15 * max(hits)
    expected = sum(run.wrong for run in real) / hits[1]
    assert abs(wrong / sum(rates.audited for rates in forecast) - expected) < 0.01


def test_before_any_label_only_what_the_prior_is_sure_of_is_served() -> None:
    model = VerifiedModel(MINILM)
    chance = random.Random(5)
    verdicts = [model.decide(some_features(chance), "", 0.01) for _ in range(500)]
    served = [verdict for verdict in verdicts if verdict.serve]
    assert all(verdict.p_low >= 0.99 for verdict in served)
    assert len(served) < 250


def test_an_embedder_that_nothing_is_known_of_serves_nothing_at_first() -> None:
    model = VerifiedModel(prior_of("somebody/embeds"))
    chance = random.Random(5)
    assert not any(model.decide(some_features(chance), "", 0.05).serve for _ in range(300))


def test_what_a_guard_forbids_is_never_served() -> None:
    verdict = VerifiedModel(MINILM).decide(MINILM.means, "number", 0.5)
    assert not verdict.serve
    assert verdict.reason == "number"


def test_wrong_audits_make_it_stricter_at_once_and_right_ones_relax_it_slowly() -> None:
    model = VerifiedModel(MINILM)
    features = some_features(random.Random(1))
    model.learn(features, same=False, audit=True, error_rate=0.01)
    stricter = model.strictness
    assert stricter > 0.4
    for _ in range(10):
        model.learn(features, same=True, audit=True, error_rate=0.01)
    assert 0.8 * stricter < model.strictness < stricter
    for _ in range(50):
        model.learn(features, same=False, audit=True, error_rate=0.01)
    assert model.strictness == STRICTNESS_MAX


def test_labels_that_are_no_audits_do_not_count_as_measured() -> None:
    model = VerifiedModel(MINILM)
    model.learn(some_features(random.Random(1)), same=False, audit=False, error_rate=0.01)
    assert (model.labels, model.audited, model.wrong, model.strictness) == (1, 0, 0, 0.0)


def test_rows_of_another_version_are_neither_served_nor_learned() -> None:
    model = VerifiedModel(MINILM)
    assert model.decide((1.0, 2.0), "", 0.5).reason == "features"
    model.learn((1.0, 2.0), same=True, audit=True, error_rate=0.01)
    assert model.labels == 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.booleans(), st.booleans()), max_size=40))
def test_what_was_learned_survives_as_numbers(history: list[tuple[int, bool, bool]]) -> None:
    model = VerifiedModel(MINILM)
    for seed, same, audit in history:
        model.learn(some_features(random.Random(seed)), same=same, audit=audit, error_rate=0.01)
        model.decide(some_features(random.Random(seed + 1)), "", 0.01)
    again = VerifiedModel.from_numbers(MINILM, model.as_numbers())
    probe = some_features(random.Random(77))
    assert again.decide(probe, "", 0.01) == model.decide(probe, "", 0.01)
    assert again.as_numbers() == model.as_numbers()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(-2, 2), min_size=len(LEXICAL), max_size=len(LEXICAL)),
    st.lists(st.booleans(), min_size=1, max_size=30),
)
def test_any_labels_leave_a_model_that_decides(row: list[float], labels: list[bool]) -> None:
    model = VerifiedModel(MINILM)
    for same in labels:
        model.learn(tuple(row), same=same, audit=not same, error_rate=0.01)
        verdict = model.decide(tuple(row), "", 0.01)
        assert 0 <= verdict.p_low <= verdict.p + 1e-12 <= 1 + 2e-12
    assert all(map(math.isfinite, model.as_numbers()))


def test_numbers_of_another_model_are_refused() -> None:
    numbers = VerifiedModel(MINILM).as_numbers()
    for wrong in ((), numbers[:-1], (*numbers[:-1], math.nan), (1.0, *numbers[1:])):
        with pytest.raises(ValueError, match="numbers"):
            VerifiedModel.from_numbers(MINILM, wrong)


def test_candidates_are_looked_at_below_the_similarity_that_threshold_serves_from() -> None:
    threshold = CachePolicy(mode=CacheMode.THRESHOLD, similarity_threshold=0.9)
    verified = CachePolicy(mode=CacheMode.VERIFIED, similarity_threshold=0.9)
    assert candidate_similarity(threshold) == 0.9
    assert candidate_similarity(verified) == pytest.approx(0.75)
