"""Precision, recall and speed of the detector, beside Presidio.

    python -m benchmarks.pii [--data FILE] [--work .bench] [--rounds 5] [--without-presidio]
                             [--misses] [--without-words WORD,...]

The texts are those of microsoft/presidio-research (`generated_large.json`; $PII_DATA), of which six
kinds are counted. Both read the same texts in turns, in one run; the best of the rounds is told. Shares
come with Wilson intervals of 95 %, F1 over all kinds with one from drawing the texts anew. Errors were
looked at on one half of the texts (by a hash); the other half is told by itself. What both halves share are
the templates they were made from, so other people's texts will do worse: `--without-words answer,answering`
measures what the words of one template are worth.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.pii.readers import CannotStart, Ours, Presidio, Reader, Reading
from benchmarks.pii.scoring import f1_interval, scores, total, wilson
from benchmarks.pii.texts import KINDS, Labelled, data_file, is_tuned_on, labelled, ordinary

SEED = 20


def main() -> None:
    options = _options()
    rows = labelled(data_file(options.data))
    with ExitStack() as stack:
        readers: list[Reader] = [Ours(options.without_words.split(",") if options.without_words else ())]
        if not options.without_presidio:
            try:
                readers.append(stack.enter_context(Presidio(options.work)))
            except CannotStart as error:
                raise SystemExit(str(error)) from error
        texts = [row.text for row in rows]
        best = _in_turns(readers, texts, options.rounds)
        for reader in readers:
            print_quality(reader.name, rows, best[reader.name])
        print(f"\n{'speed, KB/s':24}" + "".join(f"{reader.name:>22}" for reader in readers))
        print_speed("the labelled texts", texts, readers, best)
        for name, plain in ordinary(SEED).items():
            found = _in_turns(readers, plain, options.rounds)
            print_speed(name, plain, readers, found)
            print_alarms(plain, readers, found)
    if options.misses:
        print_misses(rows, best[Ours.name])


def print_quality(name: str, rows: Sequence[Labelled], reading: Reading) -> None:
    halves = {
        "all texts": range(len(rows)),
        "half tuned on": [n for n, row in enumerate(rows) if is_tuned_on(row.text)],
        "other half": [n for n, row in enumerate(rows) if not is_tuned_on(row.text)],
    }
    for half, numbers in halves.items():
        chosen, found = [rows[n] for n in numbers], [reading.found[n] for n in numbers]
        parts = scores(chosen, found, exact=False)
        low, high = f1_interval(parts, SEED)
        exact = total(scores(chosen, found, exact=True)).f1
        print(f"\n{name}, {half} ({len(chosen)} texts)")
        print(f"{'':16}{'right':>6}{'wrong':>6}{'missed':>7}  {'precision':>22}  {'recall':>22}{'F1':>8}")
        for kind in KINDS:
            score = total(parts, [kind])
            precision = _share(score.right, score.right + score.wrong)
            recall = _share(score.right, score.right + score.missed)
            counts = f"{score.right:>6}{score.wrong:>6}{score.missed:>7}"
            print(f"{kind:16}{counts}  {precision:>22}  {recall:>22}{score.f1:>8.3f}")
        print(f"F1 over all {total(parts).f1:.4f} [{low:.4f}, {high:.4f}]; with exact ends {exact:.4f}")


def print_speed(name: str, texts: Sequence[str], readers: Sequence[Reader], best: dict[str, Reading]) -> None:
    kilobytes = sum(len(text.encode()) for text in texts) / 1000
    rates = [kilobytes / best[reader.name].taken_s for reader in readers]
    times = f"  {rates[0] / rates[1]:.0f} x" if len(rates) > 1 else ""
    print(f"{name:24}" + "".join(f"{rate:>22,.0f}" for rate in rates) + times)


def print_alarms(texts: Sequence[str], readers: Sequence[Reader], found: dict[str, Reading]) -> None:
    """Everything found in what holds nothing is wrong."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    alarms = [sum(map(len, found[reader.name].found)) for reader in readers]
    text = "".join(f"{f'{each} ({each / megabytes:.1f} per MB)':>22}" for each in alarms)
    print(f"{'  wrongly found':24}{text}")


def print_misses(rows: Sequence[Labelled], reading: Reading) -> None:
    for row, found in zip(rows, reading.found, strict=True):
        parts = scores([row], [found], exact=False)
        if total(parts).wrong or total(parts).missed:
            print("\n", repr(row.text), row.spans, found)


def _in_turns(readers: Sequence[Reader], texts: Sequence[str], rounds: int) -> dict[str, Reading]:
    """The fastest reading of each; what they find is the same in each round."""
    best: dict[str, Reading] = {}
    for _ in range(rounds):
        for reader in readers:
            reading = reader.read(texts)
            if reader.name not in best or reading.taken_s < best[reader.name].taken_s:
                best[reader.name] = reading
    return best


def _share(events: int, trials: int) -> str:
    if not trials:
        return "none"
    low, high = wilson(events, trials)
    return f"{events / trials:.3f} [{low:.3f}, {high:.3f}]"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="generated_large.json of microsoft/presidio-research")
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="where Presidio is installed")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-presidio", action="store_true")
    parser.add_argument("--without-words", default="", help="words beside telephone numbers to forget")
    parser.add_argument("--misses", action="store_true", help="print what was missed or wrongly found")
    return parser.parse_args()


if __name__ == "__main__":
    main()
