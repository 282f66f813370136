"""Where an invoice and our rows differ, by how much, and why that may be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.analytics.reconciliation import Billed, Line, Reason, Recorded, Tolerance, reconcile

DOLLAR = 10**9
EXACT = Tolerance(share_ppm=0, amount_nano_usd=0)


def recorded(day: str = "2026-01-01", model: str = "small", settled: int = DOLLAR, **more: int) -> Recorded:
    values = dict.fromkeys(Recorded._fields[2:], 0) | {"attempts": 1, "settled_nano_usd": settled} | more
    return Recorded(day, model, **values)


def only(line: list[Billed], row: list[Recorded], tolerance: Tolerance = EXACT) -> Line:
    (found,) = reconcile(line, row, tolerance).lines
    return found


def test_the_same_amount_agrees() -> None:
    found = reconcile([Billed("2026-01-01", "small", DOLLAR)], [recorded()], EXACT)

    assert found.within
    assert (found.lines[0].difference_nano_usd, found.lines[0].reasons) == (0, ())


def test_several_lines_of_a_day_and_model_are_one() -> None:
    lines = [Billed("2026-01-01", "small", DOLLAR // 4)] * 4

    assert reconcile(lines, [recorded()], EXACT).within


def test_a_difference_is_tolerated_as_a_share_or_as_an_amount() -> None:
    lines = [Billed("2026-01-01", "small", 100 * DOLLAR)]
    rows = [recorded(settled=101 * DOLLAR)]

    assert reconcile(lines, rows, Tolerance(10_000, 0)).within
    assert reconcile(lines, rows, Tolerance(0, DOLLAR)).within
    assert not reconcile(lines, rows, Tolerance(9_000, DOLLAR // 2)).within


def test_small_differences_that_add_up_do_not_agree() -> None:
    lines = [Billed(f"2026-01-{day:02d}", "small", DOLLAR) for day in range(1, 31)]
    rows = [recorded(line.day, settled=DOLLAR - 9_000_000) for line in lines]

    found = reconcile(lines, rows, Tolerance(0, 10_000_000))

    assert all(line.within for line in found.lines)
    assert not found.within


def test_more_than_we_know_was_called_elsewhere() -> None:
    assert only([Billed("2026-01-01", "small", DOLLAR)], []).reasons == (Reason.ELSEWHERE,)
    assert Reason.ELSEWHERE in only([Billed("2026-01-01", "small", 3 * DOLLAR)], [recorded()]).reasons


def test_what_is_not_on_the_invoice_was_not_billed() -> None:
    line = only([Billed("2026-01-02", "small", 0)], [recorded("2026-01-02")])
    assert line.reasons == (Reason.PRICES,)
    found = reconcile([Billed("2026-01-01", "other", DOLLAR)], [recorded()], EXACT)
    assert [line.reasons for line in found.lines] == [(Reason.ELSEWHERE,), (Reason.NOT_BILLED,)]


def test_rows_that_are_not_settled_are_named() -> None:
    unresolved = recorded(unresolved_attempts=1, unresolved_nano_usd=DOLLAR)
    estimated = recorded(estimated_attempts=2, estimated_nano_usd=DOLLAR)
    unpriced = recorded(unpriced_attempts=3)

    assert Reason.UNRESOLVED in only([Billed("2026-01-01", "small", DOLLAR)], [unresolved]).reasons
    assert Reason.UNRESOLVED not in only([Billed("2026-01-01", "small", 5 * DOLLAR)], [unresolved]).reasons
    assert Reason.ESTIMATED in only([Billed("2026-01-01", "small", DOLLAR)], [estimated]).reasons
    assert Reason.UNPRICED in only([Billed("2026-01-01", "small", 2 * DOLLAR)], [unpriced]).reasons


def test_cents_are_rounding() -> None:
    line = only([Billed("2026-01-01", "small", DOLLAR + 4_000_000)], [recorded()])

    assert line.reasons == (Reason.ROUNDING,)


def test_days_that_begin_elsewhere_are_recognised() -> None:
    lines = [Billed("2026-01-01", "small", 6 * DOLLAR), Billed("2026-01-02", "small", 4 * DOLLAR)]
    rows = [recorded("2026-01-01", settled=5 * DOLLAR), recorded("2026-01-02", settled=5 * DOLLAR)]

    found = reconcile(lines, rows, EXACT)

    assert all(Reason.NEIGHBOUR_DAY in line.reasons for line in found.lines)


def test_an_invoice_without_models_is_compared_by_day() -> None:
    rows = [recorded(model="small"), recorded(model="large")]

    assert reconcile([Billed("2026-01-01", "", 2 * DOLLAR)], rows, EXACT).within


def test_a_model_is_found_under_its_dated_name_where_that_leaves_no_doubt() -> None:
    dated = Billed("2026-01-01", "gpt-4o-2024-08-06", DOLLAR)
    other = Billed("2026-01-01", "gpt-4o-2024-11-20", DOLLAR)

    assert reconcile([dated], [recorded(model="gpt-4o")], EXACT).within
    assert reconcile(
        [Billed("2026-01-01", "claude-x", DOLLAR)], [recorded(model="claude-x-20250514")], EXACT
    ).within
    assert not reconcile([dated, other], [recorded(model="gpt-4o", settled=2 * DOLLAR)], EXACT).within


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["2026-01-01", "2026-01-02"]),
            st.sampled_from(["a", "b", ""]),
            st.integers(-9, 99),
        )
    ),
    st.lists(
        st.tuples(
            st.sampled_from(["2026-01-01", "2026-01-02"]), st.sampled_from(["a", "b"]), st.integers(0, 99)
        )
    ),
)
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_between_the_lines_and_the_totals(
    bills: list[tuple[str, str, int]], rows: list[tuple[str, str, int]]
) -> None:
    found = reconcile(
        [Billed(day, model, cost * DOLLAR) for day, model, cost in bills],
        [recorded(day, model, cost * DOLLAR) for day, model, cost in rows],
        EXACT,
    )

    assert found.billed_nano_usd == DOLLAR * sum(cost for _, _, cost in bills)
    assert found.recorded_nano_usd == DOLLAR * sum(cost for _, _, cost in rows)
    assert (
        sum(line.difference_nano_usd for line in found.lines)
        == found.billed_nano_usd - found.recorded_nano_usd
    )
    assert all(line.within == (line.difference_nano_usd == 0) for line in found.lines)
    assert all(line.reasons for line in found.lines if not line.within)
