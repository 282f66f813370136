"""What the tables say."""

from dataclasses import replace

from benchmarks import report
from benchmarks.matrix import ClosedCell, OpenCell
from benchmarks.reconciliation import PRICE, Rows, Seen, Verdict
from benchmarks.servers import DIRECT, LITELLM, STRAIGHT

CELL = ClosedCell(kind="unary", size="1 KB", concurrency=64, contender=LITELLM, per_s=[90.0, 100.0, 400.0])


def test_ratios_compare_the_medians_of_the_rounds() -> None:
    ours = replace(CELL, contender=DIRECT, per_s=[9_000.0, 10_000.0, 8_000.0])

    text = report.closed_tables([CELL, ours])

    assert "90.00 x" in text


def test_answers_that_failed_are_named() -> None:
    text = report.closed_tables([replace(CELL, failed=3)])

    assert "LiteLLM proxy (1 KB, c64): 3" in text


def test_added_latency_is_the_difference_of_the_same_percentile() -> None:
    base = OpenCell(
        kind="unary", rate=300, contender=STRAIGHT, rounds=[[0.1, 0.2, 0.5, 1, 2]], answered_share=[1.0]
    )
    ours = replace(base, contender=DIRECT, rounds=[[0.4, 0.7, 1.5, 2, 3]])

    text = report.open_tables([base, ours])

    line = next(line for line in text.splitlines() if DIRECT in line)
    assert [cell.strip() for cell in line.split("|")[5:8]] == ["+0.30", "+0.50", "+1.00"]


def test_a_rate_that_was_not_kept_up_has_no_latency() -> None:
    cell = OpenCell(kind="unary", rate=300, contender=LITELLM, rounds=[[900.0] * 5], answered_share=[0.3])

    text = report.open_tables([cell])

    assert "not kept up" in text
    assert "900" not in text


def test_the_bill_is_counted_in_nano_dollars() -> None:
    seen = Seen(answered=2, mock_unary=2)

    assert PRICE.cost_nano_usd(250, 150) == 127_500
    assert seen.bill_nano_usd == 255_000


def test_a_broken_reconciliation_stands_out() -> None:
    rows = Rows(1, 1, 0, 1, 127_500, 0)

    text = report.reconciliation_table(
        [Verdict(DIRECT, "drained load", Seen(answered=2, mock_unary=2), rows, holds=False, note="")]
    )

    assert "BROKEN" in text
