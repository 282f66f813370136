"""The rules of batches: what may follow what, what may be spent, what a crash leaves to be done."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.ports.batches import batch
from contracts.ports.usage import usage_event
from domain.batch.batch import PROBLEMS_MAX, BatchProblem, BatchStatus, StopReason, final_status
from domain.batch.line import BatchLine, LineCheck, UnreadableLine
from domain.batch.pace import Pace, background_room
from domain.batch.progress import Intent, Progress, TryEnded, idempotency_key, request_id
from domain.batch.retry import LineFailed, TryAgain, after_failed_try, pause_for_budget_s, pushes_back
from domain.batch.settings import BatchMode, check_metadata, read_settings, window_s
from domain.batch.spending import Purse, Verdict
from domain.batch.stored_file import check_upload, read_expiry_s
from domain.errors import InvalidRequest
from domain.llm.failures import Failure, FailureKind


def test_a_batch_goes_forward_only() -> None:
    begun = batch().moved(BatchStatus.IN_PROGRESS, 5)
    assert begun.moments.in_progress == 5
    done = begun.moved(BatchStatus.FINALIZING, 6).moved(BatchStatus.COMPLETED, 7)
    for wrong in (begun, done):
        with pytest.raises(ValueError, match="does not go"):
            wrong.moved(BatchStatus.VALIDATING, 8)


@pytest.mark.parametrize("reason", StopReason)
def test_every_reason_to_stop_has_a_final_status(reason: StopReason) -> None:
    assert final_status(reason).final and final_status(reason) is not BatchStatus.COMPLETED
    assert final_status(None) is BatchStatus.COMPLETED


def test_problems_are_bounded() -> None:
    full = batch()
    for number in range(PROBLEMS_MAX + 5):
        full = full.with_problem(BatchProblem("c", "m", number))
    assert len(full.problems) == PROBLEMS_MAX


def test_settings_are_read_from_metadata_and_the_rest_is_the_callers() -> None:
    read = read_settings(
        {
            "mine": "x",
            "interchange_mode": "Auto",
            "interchange_budget_usd": "0.25",
            "interchange_retries": "0",
        }
    )
    assert (read.mode, read.budget_nano_usd, read.retries) == (BatchMode.AUTO, 250_000_000, 0)
    assert read.concurrency is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"interchange_budget_usd": "0"},
        {"interchange_budget_usd": "NaN"},
        {"interchange_concurrency": "0"},
        {"interchange_retries": "-1"},
        {"interchange_retries": "\u0661"},
        {"k" * 65: "v"},
        {"k": "v" * 513},
        {str(number): "v" for number in range(17)},
    ],
)
def test_wrong_settings_are_named(wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_metadata(wrong)
        read_settings(wrong)
    assert (refused.value.param or "").startswith("metadata")


@pytest.mark.parametrize(("text", "seconds"), [("24h", 86_400), ("90m", 5400), ("7d", 604_800)])
def test_windows_are_read(text: str, seconds: int) -> None:
    assert window_s(text) == seconds


@pytest.mark.parametrize("text", ["", "24", "h", "30s", "15d", "-1h", "1.5h", "99999h"])
def test_other_windows_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        window_s(text)


def test_uploads_need_a_known_purpose_and_a_name() -> None:
    check_upload("in.jsonl", "batch")
    for name, purpose in (("", "batch"), ("x" * 256, "batch"), ("a\nb", "batch"), ("a", "batch_output")):
        with pytest.raises(InvalidRequest):
            check_upload(name, purpose)


def test_files_are_kept_no_longer_than_they_may_be() -> None:
    assert read_expiry_s({}, 100_000) == 100_000
    asked = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "90000"}
    assert read_expiry_s(asked, 100_000) == 90_000 and read_expiry_s(asked, 5000) == 5000
    for wrong in ({"expires_after[seconds]": "3600"}, {**asked, "expires_after[seconds]": "60"}):
        with pytest.raises(InvalidRequest):
            read_expiry_s(wrong, 100_000)


def test_a_check_finds_repeated_ids_other_urls_and_too_many_lines() -> None:
    check = LineCheck("/v1/embeddings", lines_max=3)
    check.take(BatchLine(1, "a", "/v1/embeddings", b"{}"))
    check.take(BatchLine(2, "a", "/v1/completions", b"{}"))
    check.refuse(3, UnreadableLine("invalid_line", "no", "body"))
    check.take(BatchLine(4, "b", "/v1/embeddings", b"{}"))
    check.end()
    assert [(one.line, one.code) for one in check.problems] == [
        (2, "duplicate_custom_id"),
        (2, "mismatched_url"),
        (3, "invalid_line"),
        (4, "too_many_lines"),
    ]
    assert check.full


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 1000),
    st.lists(st.tuples(st.integers(0, 400), st.one_of(st.none(), st.integers(0, 400))), max_size=40),
    st.randoms(use_true_random=False),
)
def test_a_budget_is_never_passed_however_many_lines_run(
    limit: int, lines: list[tuple[int, int | None]], chance: random.Random
) -> None:
    purse = Purse(limit)
    running: list[tuple[int, int | None]] = []
    for bound, cost in lines:
        while purse.judge(bound) is Verdict.WAIT:
            held, paid = running.pop(chance.randrange(len(running)))
            purse.settle(held, paid)
        if purse.judge(bound) is Verdict.NEVER:
            assert purse.spent_nano_usd + bound > limit
            continue
        purse.hold(bound)
        running.append((bound, None if cost is None else min(cost, bound)))
        assert purse.spent_nano_usd + purse.held_nano_usd <= limit
    for held, paid in running:
        purse.settle(held, paid)
    assert purse.held_nano_usd == 0 and purse.spent_nano_usd <= limit


def test_what_cannot_be_bounded_fits_no_budget_and_always_fits_without_one() -> None:
    assert Purse(10**12).judge(None) is Verdict.NEVER
    assert Purse(None).judge(None) is Verdict.YES


def test_the_pace_halves_once_per_burst_and_comes_back() -> None:
    pace = Pace(16)
    pace.pushed_back(10.0)
    pace.pushed_back(10.5)
    assert pace.allowed == 8
    pace.pushed_back(11.1)
    assert pace.allowed == 4
    for _ in range(200):
        pace.answered()
    assert pace.allowed == 16
    for second in range(20, 60):
        pace.pushed_back(float(second))
    assert pace.allowed == 1


@given(st.integers(1, 2000), st.integers(0, 2000), st.integers(0, 2000))
def test_batches_leave_room_for_callers_who_wait(slots: int, in_flight: int, background: int) -> None:
    if background_room(slots, in_flight, background):
        assert background < max(1, slots // 2) and slots - in_flight > slots // 10


DOUBTFUL = Failure(kind=FailureKind.TIMEOUT, message="late")
REFUSED = Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=429, retry_after_s=3.0)


def step(failure: Failure, **changes: object) -> TryAgain | LineFailed:
    facts = {
        "tries_left": 2, "failed_before": 0, "draw": 0.5, "honours_keys": True, "in_doubt_before": False,
    }  # fmt: skip
    return after_failed_try(failure, **(facts | changes))  # type: ignore[arg-type]


def test_a_try_in_doubt_is_repeated_under_its_key_where_keys_are_honoured() -> None:
    again = step(DOUBTFUL)
    assert isinstance(again, TryAgain) and again.same_key and not again.elsewhere
    other = step(DOUBTFUL, honours_keys=False)
    assert isinstance(other, TryAgain) and not other.same_key and other.elsewhere


def test_a_refused_repeat_says_nothing_about_the_first_try() -> None:
    again = step(REFUSED, in_doubt_before=True)
    assert isinstance(again, TryAgain) and again.same_key and again.wait_s >= 3.0
    fresh = step(REFUSED)
    assert isinstance(fresh, TryAgain) and not fresh.same_key


@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_leads_somewhere_and_nothing_goes_on_for_ever(kind: FailureKind) -> None:
    failure = Failure(kind=kind, message="x", status=500)
    assert isinstance(step(failure, tries_left=0), LineFailed)
    assert isinstance(pushes_back(failure), bool)
    if kind in (FailureKind.CALLER_FAULT, FailureKind.CONTENT_POLICY):
        assert step(failure) == LineFailed("not_retryable")


def ended(line: int, number: int, *, final: bool = True, **more: object) -> TryEnded:
    event = usage_event(1, cost_nano_usd=more.pop("cost", 7))
    return TryEnded(line, number, "c", final, final, 200, "r", b"{}", "", "", event)._replace(**more)  # type: ignore[arg-type]


def test_the_journal_tells_finished_open_and_doubtful_lines_apart() -> None:
    progress = Progress()
    for record in (
        Intent(1, 0, "k1", "t", 50),
        ended(1, 0),
        Intent(2, 0, "k2", "t", 50),
        Intent(3, 0, "k3", "t", 50),
        ended(3, 0, final=False, key_goes_on=True, cost=None),
        Intent(4, 0, "k4", "t", 50),
        ended(4, 0, final=False),
    ):
        progress.take(record)
    assert progress.finished == {1} and (progress.completed, progress.failed) == (1, 0)
    assert progress.begun[2].open and progress.begun[2].key == "k2"
    assert not progress.begun[3].open and progress.begun[3].key == "k3"
    assert progress.begun[4].key == "" and progress.begun[4].tries == 1 and progress.begun[4].failed == 1
    assert (progress.cost_nano_usd, progress.uncosted, progress.spent_nano_usd) == (14, 1, 64)


def test_what_never_left_is_no_failed_try() -> None:
    progress = Progress()
    progress.take(Intent(1, 0, "k", "t", 5))
    progress.take(ended(1, 0, final=False, event=None))
    assert progress.begun[1].failed == 0 and progress.begun[1].tries == 1


def test_a_doubt_without_a_price_is_counted_at_its_bound() -> None:
    progress = Progress()
    progress.take(Intent(1, 0, "k", "gone", 50))
    progress.take(ended(1, 0, final=False, event=None, code="unresolved"))
    assert (progress.unresolved, progress.uncosted, progress.spent_nano_usd) == (1, 1, 50)


def test_ids_follow_from_batch_line_and_try() -> None:
    assert request_id("batch_ab", 3, 1) == "req_ab_3_1" == request_id("batch_ab", 3, 1)
    assert idempotency_key("batch_ab", 3, 0) != idempotency_key("batch_ab", 3, 1)


@pytest.mark.parametrize("room_at_us", [None, 100_000_000, 200_000_000])
def test_nobody_waits_for_a_budget_without_room_before_the_batch_expires(room_at_us: int | None) -> None:
    assert pause_for_budget_s(room_at_us, now_us=0, expires_at_us=100_000_000, pauses=0, draw=0.5) is None


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**9), st.integers(0, 10_000), st.floats(0, 0.999))
def test_pauses_for_a_budget_grow_within_bounds_and_end_with_its_period(
    room_at_us: int, pauses: int, draw: float
) -> None:
    pause_s = pause_for_budget_s(room_at_us, now_us=0, expires_at_us=10**10, pauses=pauses, draw=draw)
    assert pause_s is not None and 0 < pause_s <= 37.5
    if room_at_us:
        assert pause_s <= max(0.05, room_at_us / 1e6) * 1.25
    if not pauses:
        assert pause_s <= 0.625
