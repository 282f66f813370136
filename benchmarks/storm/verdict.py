"""What a storm left behind: rows, ledger and bill held against each other."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from benchmarks.storm.callers import Answer
from benchmarks.storm.limits import BillWatch
from benchmarks.storm.world import Rows
from domain.budgets.posting import HoldOutcome, read_posting

SPENT_SHARE_MIN: Final = 0.95
EXAMPLES_MAX: Final = 5


@dataclass(slots=True)
class Verdict:
    """`wrong` names every broken promise; figures are for people."""

    wrong: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def expect(self, holds: bool, what: str, examples: object = "") -> None:
        """Notes a promise that does not hold."""
        if not holds:
            self.wrong.append(f"{what} {examples}".strip())


@dataclass(slots=True)
class Spending:
    """Of one request at one provider, by its rows."""

    settled: int = 0
    unresolved: int = 0
    attempts: int = 0


async def judge(
    rows: Rows, watch: BillWatch, answers: Mapping[int, Answer], spent_out: set[tuple[str, str]]
) -> Verdict:
    """Everything that can be said once all is quiet. `spent_out`: budgets and subjects that refused the
    smallest request in the end."""
    verdict = Verdict()
    verdict.expect(not watch.overspent, "overspent:", watch.overspent[:EXAMPLES_MAX])
    verdict.expect(watch.unnamed == 0, f"{watch.unnamed} charges of nobody")
    await _accounts(rows, watch, spent_out, verdict)
    await _rows(rows, watch, answers, verdict)
    return verdict


async def _accounts(rows: Rows, watch: BillWatch, spent_out: set[tuple[str, str]], verdict: Verdict) -> None:
    found = await rows.ask(
        "SELECT name, subject, sum(spent_nano_usd), sum(unresolved_nano_usd), sum(leased_nano_usd), "
        "max(limit_nano_usd) FROM budget_accounts GROUP BY name, subject"
    )
    leased = [(name, subject, int(left)) for name, subject, _, _, left, _ in found if left]
    verdict.expect(not leased, "still leased when all was over:", leased[:EXAMPLES_MAX])
    less, stuck, judged = [], [], Counter[str]()
    for name, subject, spent, unresolved, _, limit in found:
        committed = int(spent) + int(unresolved)
        if name in watch.limits and watch.limits[name].hard and watch.sums[name, subject] > committed:
            less.append((name, subject, watch.sums[name, subject], committed))
        if (name, subject) in spent_out:
            judged[name] += 1
            if committed < SPENT_SHARE_MIN * int(limit):
                stuck.append((name, subject, committed / int(limit)))
    verdict.expect(not less, "the ledger says less than the bill:", less[:EXAMPLES_MAX])
    verdict.expect(not stuck, "stuck before it was spent:", stuck[:EXAMPLES_MAX])
    verdict.figures["accounts"] = len(found)
    verdict.figures["spent out and judged"] = dict(judged)


async def _rows(rows: Rows, watch: BillWatch, answers: Mapping[int, Answer], verdict: Verdict) -> None:
    requests = await rows.ask("SELECT request_id, user_id FROM usage_requests WHERE user_id <> ''")
    attempts = await rows.ask(
        "SELECT attempt_id, request_id, provider, cost_nano_usd, estimated, ledger FROM usage_attempts"
    )
    number_of = {request_id: int(user) for request_id, user in requests}
    counted = Counter(number_of.values())
    twice = [number for number, count in counted.items() if count > 1]
    verdict.expect(not twice, "requests with several rows:", twice[:EXAMPLES_MAX])
    lost = [
        (answer.number, answer.status)
        for answer in answers.values()
        if answer.complete and answer.code != "unreadable" and answer.number not in counted
    ]
    verdict.expect(not lost, f"{len(lost)} answered requests without a row:", lost[:EXAMPLES_MAX])
    spent: dict[tuple[int, str], Spending] = defaultdict(Spending)
    outcomes: Counter[str] = Counter()
    homeless = 0
    for attempt_id, request_id, provider, cost, estimated, ledger in attempts:
        if request_id not in number_of:
            homeless += 1
            continue
        one = spent[number_of[request_id], provider]
        one.attempts += 1
        posting = read_posting(attempt_id, ledger) if ledger else None
        if posting is None:
            outcomes["without a hold"] += 1
            continue
        outcomes[posting.outcome.value] += 1
        if posting.outcome is HoldOutcome.UNRESOLVED:
            one.unresolved += posting.charged_nano_usd
        else:
            one.settled += posting.charged_nano_usd
            verdict.expect(
                posting.outcome is HoldOutcome.RELEASED
                or (cost == posting.charged_nano_usd and not estimated),
                f"attempt {attempt_id} settled at {posting.charged_nano_usd}, its row says {cost}",
            )
    verdict.expect(homeless == 0, f"{homeless} attempt rows without their request")
    _compare(watch, spent, set(number_of.values()), await _recovered(rows, attempts), verdict)
    verdict.figures["request rows"] = len(requests)
    verdict.figures["attempt rows"] = dict(outcomes)


async def _recovered(rows: Rows, attempts: list[tuple[object, ...]]) -> int:
    """What holds without a row amount to, each attempt counted once."""
    with_rows = {attempt[0] for attempt in attempts}
    held: dict[str, int] = {}
    for attempt_id, amount in await rows.ask(
        "SELECT attempt_id, max(held_nano_usd) FROM budget_entries GROUP BY attempt_id"
    ):
        if attempt_id not in with_rows and not str(attempt_id).startswith("lost:"):
            held[attempt_id] = int(amount)
    return sum(held.values())


def _compare(
    watch: BillWatch,
    spent: Mapping[tuple[int, str], Spending],
    known: set[int],
    recovered_nano_usd: int,
    verdict: Verdict,
) -> None:
    """The bill of each request at each provider against its rows."""
    uneven, unpaid, orphaned = [], [], 0
    for place in set(watch.told) | set(watch.cut) | set(spent):
        billed = watch.told[place] + watch.cut[place]
        if place[0] not in known:
            orphaned += billed
            continue
        row = spent.get(place, Spending())
        if not row.unresolved:
            if billed != row.settled:
                uneven.append((place, billed, row.settled))
        elif not row.settled <= billed <= row.settled + row.unresolved and billed > row.settled:
            unpaid.append((place, billed, row.settled, row.unresolved))
    verdict.expect(not uneven, f"{len(uneven)} settled costs differ from the bill:", uneven[:EXAMPLES_MAX])
    verdict.expect(not unpaid, f"{len(unpaid)} unresolved below the bill:", unpaid[:EXAMPLES_MAX])
    verdict.expect(
        orphaned <= recovered_nano_usd,
        f"billed without a row: {orphaned}, recovered holds: {recovered_nano_usd}",
    )
    verdict.figures["billed"] = watch.billed()
    verdict.figures["billed to requests that died with their process"] = orphaned
    verdict.figures["their holds, recovered"] = recovered_nano_usd
