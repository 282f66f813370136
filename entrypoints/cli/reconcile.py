"""`interchange reconcile`: a provider's invoice against what was recorded here, by day and model."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import click

from application.use_cases.read_usage import UsageUseCases
from domain.analytics.reconciliation import Line, Reconciliation, Tolerance
from domain.errors import InvalidRequest
from domain.money import InvalidAmount, format_usd, parse_usd
from domain.tenancy.role import local_operator
from entrypoints.cli.configured import config_option
from entrypoints.cli.usage_source import OpenUsage, run
from entrypoints.invoices.reading import INVOICE_BYTES_MAX, Columns, Invoice, read_invoice
from entrypoints.words.plain import plain

BEYOND: Final = 1
"""Exit status when a difference is greater than what is tolerated."""


def make_command(open_usage: OpenUsage) -> click.Command:
    """The command; `open_usage` is called only when the invoice could be read."""

    @click.command("reconcile")
    @click.argument("invoice", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option(
        "--provider", required=True, help="Whose invoice: the provider's name in the configuration."
    )
    @click.option("--date-column", help="CSV: the column of the day.")
    @click.option("--model-column", help="CSV: the column of the model.")
    @click.option("--cost-column", help="CSV: the column of the amount, in USD.")
    @click.option(
        "--currency", default="USD", show_default=True, help="Of the amounts, where no column says."
    )
    @click.option(
        "--model", "names", multiple=True, metavar="THEIRS=OURS", help="A model's name there and here."
    )
    @click.option(
        "--tolerance", default="1%", show_default=True, help="Of each day and model, and of the total."
    )
    @click.option(
        "--tolerance-usd", default="0.01", show_default=True, help="Differences up to this never count."
    )
    @click.option("--all", "everything", is_flag=True, help="Show lines that agree as well.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
    @config_option
    def reconcile(config_path: str | None, invoice: Path, **asked: Any) -> int:
        """Compare INVOICE, a provider's bill or usage export, with what was recorded.

        Knows OpenAI's costs and Anthropic's cost report, as JSON pages of their APIs or as exported CSV, and
        any CSV with a day and an amount. Exit status 1 when they differ by more than is tolerated.
        """
        tolerance = _tolerance(asked["tolerance"], asked["tolerance_usd"])
        read = _read(invoice, asked)

        async def work(usage: UsageUseCases) -> Reconciliation:
            return await usage.reconcile(local_operator(), asked["provider"], read.lines, tolerance)

        found: Reconciliation = run(open_usage, config_path, work)
        if asked["as_json"]:
            click.echo(json.dumps(_object(read, found), indent=2))
        else:
            click.echo(_text(read, found, everything=asked["everything"]))
        return 0 if found.within else BEYOND

    return reconcile


def _read(path: Path, asked: dict[str, Any]) -> Invoice:
    if path.stat().st_size > INVOICE_BYTES_MAX:
        raise click.ClickException(f"{path} is larger than {INVOICE_BYTES_MAX} bytes")
    names: dict[str, str] = {}
    for text in asked["names"]:
        theirs, equals, ours = text.partition("=")
        if not equals or not theirs:
            raise click.UsageError(f"--model {text!r} must be THEIRS=OURS")
        names[theirs] = ours
    columns = Columns(
        date=asked["date_column"],
        model=asked["model_column"],
        cost=asked["cost_column"],
        currency=asked["currency"],
        models=names,
    )
    try:
        return read_invoice(path.read_text(encoding="utf-8-sig"), columns)
    except InvalidRequest as error:
        raise click.ClickException(f"{path}: {error.message}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path} cannot be read: {error}") from error


def _tolerance(share: str, amount: str) -> Tolerance:
    try:
        ppm = Decimal(share.strip().removesuffix("%")) * 10_000
        if not 0 <= ppm <= 1_000_000:
            raise ValueError(share)
        if (nano_usd := parse_usd(amount)) < 0:
            raise ValueError(amount)
        return Tolerance(int(ppm), nano_usd)
    except (ArithmeticError, ValueError, InvalidAmount):
        raise click.UsageError(
            "--tolerance must be 0% to 100%, and --tolerance-usd an amount of dollars from 0 on"
        ) from None


def _text(read: Invoice, found: Reconciliation, *, everything: bool) -> str:
    shown = [line for line in found.lines if everything or not line.within]
    cells = [["DAY", "MODEL", "BILLED", "RECORDED", "DIFFERENCE"]]
    cells += [[line.day, plain(line.model) or "(all)", *_amounts(line)] for line in shown]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    parts = [f"{read.shape}, {len(read.lines)} lines; {len(found.lines)} days and models compared"]
    parts += [f"left out: {why}" for why in read.left_out[:10]]
    for number, row in enumerate(cells):
        if number or shown:
            parts.append(
                "  ".join(
                    cell.ljust(width) if column < 2 else cell.rjust(width)
                    for column, (cell, width) in enumerate(zip(row, widths, strict=True))
                )
            )
        if number:
            parts += [f"    {reason.value}" for reason in shown[number - 1].reasons]
    difference = found.billed_nano_usd - found.recorded_nano_usd
    billed, recorded = format_usd(found.billed_nano_usd), format_usd(found.recorded_nano_usd)
    parts.append(
        f"billed {billed} USD, recorded {recorded} USD, "
        f"difference {format_usd(difference)} USD: {'agrees' if found.within else 'does NOT agree'}"
    )
    return "\n".join(parts)


def _amounts(line: Line) -> list[str]:
    billed = "-" if line.billed_nano_usd is None else format_usd(line.billed_nano_usd)
    recorded = "-" if line.recorded is None else format_usd(line.recorded.cost_nano_usd)
    return [billed, recorded, format_usd(line.difference_nano_usd)]


def _object(read: Invoice, found: Reconciliation) -> dict[str, Any]:
    return {
        "invoice": read.shape,
        "left_out": list(read.left_out),
        "billed_usd": format_usd(found.billed_nano_usd),
        "recorded_usd": format_usd(found.recorded_nano_usd),
        "within_tolerance": found.within,
        "lines": [_line_object(line) for line in found.lines],
    }


def _line_object(line: Line) -> dict[str, Any]:
    row = line.recorded
    return {
        "day": line.day,
        "model": line.model,
        "billed_usd": None if line.billed_nano_usd is None else format_usd(line.billed_nano_usd),
        "recorded_usd": None if row is None else format_usd(row.cost_nano_usd),
        "settled_usd": None if row is None else format_usd(row.settled_nano_usd),
        "estimated_usd": None if row is None else format_usd(row.estimated_nano_usd),
        "unresolved_usd": None if row is None else format_usd(row.unresolved_nano_usd),
        "attempts": 0 if row is None else row.attempts,
        "difference_usd": format_usd(line.difference_nano_usd),
        "within_tolerance": line.within,
        "reasons": [reason.name.lower() for reason in line.reasons],
    }
