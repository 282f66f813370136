"""An invoice file, whichever of the known shapes it has.

JSON: pages of OpenAI's costs (`/v1/organization/costs`) and of Anthropic's cost report
(`/v1/organizations/cost_report`, whose amounts are cents), one page or a list of them. CSV, and JSON objects
in a list: columns found by their usual names (OpenAI's and Anthropic's exports, FOCUS), or named by hand.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, NamedTuple

from domain.analytics.reconciliation import Billed
from domain.errors import InvalidRequest
from entrypoints.invoices.cells import day_of, model_of, nano_usd_of

INVOICE_BYTES_MAX: Final = 64 * 1024 * 1024
_DATES: Final = (
    "usage_date_utc",
    "start_time_iso",
    "usage_date",
    "date",
    "day",
    "start_time",
    "chargeperiodstart",
)
_MODELS: Final = ("model", "model_version", "line_item", "skuid", "sku", "description")
_COSTS: Final = ("cost_usd", "amount_value", "cost (usd)", "cost", "amount_usd", "amount", "billedcost")
_CURRENCIES: Final = ("currency", "amount_currency", "billingcurrency")
_DOLLARS: Final = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of columns, where they are not the usual ones. `models` translates names of models."""

    date: str | None = None
    model: str | None = None
    cost: str | None = None
    currency: str = _DOLLARS
    models: Mapping[str, str] = field(default_factory=dict)


class Invoice(NamedTuple):
    """What was read. `left_out` tells of lines that are no charge of a day, such as a total."""

    shape: str
    lines: tuple[Billed, ...]
    left_out: tuple[str, ...]


def read_invoice(text: str, columns: Columns) -> Invoice:
    """Raises InvalidRequest that says which line cannot be read, and what is allowed."""
    _check_currency(columns.currency, "--currency")
    text = text.removeprefix("\ufeff")
    if text.lstrip()[:1] in ("{", "["):
        return _read_json(text, columns)
    return _read_table("csv", csv.DictReader(io.StringIO(text, newline="")), columns)


def _read_json(text: str, columns: Columns) -> Invoice:
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the invoice is not valid JSON: {error}", param="invoice") from None
    pages = found if isinstance(found, list) else [found]
    if all(isinstance(page, dict) and isinstance(page.get("data"), list) for page in pages):
        buckets = [bucket for page in pages for bucket in page["data"]]
        if any(page.get("has_more") for page in pages[-1:]):
            raise InvalidRequest(
                "the last page says that there are more; put all pages into one list", param="invoice"
            )
        return _read_buckets(buckets, columns)
    if all(isinstance(row, dict) for row in pages):
        return _read_table("json", pages, columns)
    raise InvalidRequest(
        "the invoice is neither pages of a cost report nor a list of objects", param="invoice"
    )


def _read_buckets(buckets: list[Any], columns: Columns) -> Invoice:
    anthropic = any(isinstance(bucket, dict) and "starting_at" in bucket for bucket in buckets)
    lines: list[Billed] = []
    for place, bucket, result in _results(buckets):
        try:
            if anthropic:
                amount, currency = result.get("amount"), result.get("currency")
                model = result.get("model") or result.get("description")
                day = day_of(bucket["starting_at"])
            else:
                inner = result.get("amount") or {}
                amount, currency = inner.get("value"), inner.get("currency")
                model, day = result.get("line_item"), day_of(bucket["start_time"])
            _check_currency(currency or _DOLLARS, place)
            cost = nano_usd_of("" if amount is None else amount, cents=anthropic)
            lines.append(Billed(day, model_of(model, columns.models), cost))
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise InvalidRequest(f"{place}: {error}", param="invoice") from None
    return Invoice("anthropic cost report" if anthropic else "openai costs", tuple(lines), ())


def _results(buckets: list[Any]) -> Iterator[tuple[str, Any, Any]]:
    for number, bucket in enumerate(buckets):
        results = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(results, list):
            raise InvalidRequest(f"data[{number}] has no results: this is no cost report", param="invoice")
        for place, result in enumerate(results):
            yield f"data[{number}].results[{place}]", bucket, result


def _read_table(shape: str, rows: Iterable[Mapping[str, Any]], columns: Columns) -> Invoice:
    lines: list[Billed] = []
    left_out: list[str] = []
    names: _Names | None = None
    try:
        for number, row in enumerate(rows, 2 if shape == "csv" else 1):
            names = names or _names(row, columns)
            if not any(row.values()):
                continue
            if not str(row.get(names.date) or "").strip():
                left_out.append(f"line {number} has no date")
                continue
            lines.append(_line(row, names, columns, f"line {number}"))
    except csv.Error as error:
        raise InvalidRequest(f"the invoice is not valid CSV: {error}", param="invoice") from None
    return Invoice(shape, tuple(lines), tuple(left_out))


def _line(row: Mapping[str, Any], names: "_Names", columns: Columns, place: str) -> Billed:
    try:
        if names.currency is not None:
            _check_currency(str(row.get(names.currency) or _DOLLARS), place)
        model = None if names.model is None else row.get(names.model)
        return Billed(
            day_of(row[names.date]), model_of(model, columns.models), nano_usd_of(row.get(names.cost) or "")
        )
    except (ValueError, OverflowError) as error:
        raise InvalidRequest(f"{place}: {error}", param="invoice") from None


class _Names(NamedTuple):
    date: str
    model: str | None
    cost: str
    currency: str | None


def _names(row: Mapping[str, Any], columns: Columns) -> _Names:
    present = {str(name).strip().lower(): name for name in row if name is not None}

    def find(asked: str | None, usual: tuple[str, ...], option: str) -> str | None:
        if asked is not None and asked.lower() not in present:
            raise InvalidRequest(
                f"there is no column {asked!r}; there are: {', '.join(present)}", param=option
            )
        wanted = (asked.lower(),) if asked is not None else usual
        return next((present[name] for name in wanted if name in present), None)

    date = find(columns.date, _DATES, "--date-column")
    cost = find(columns.cost, _COSTS, "--cost-column")
    if date is None or cost is None:
        missing = "--date-column" if date is None else "--cost-column"
        raise InvalidRequest(
            f"no column looks right; name it with {missing}: {', '.join(present)}", param=missing
        )
    return _Names(date, find(columns.model, _MODELS, "--model-column"), cost, find(None, _CURRENCIES, ""))


def _check_currency(currency: str, place: str) -> None:
    if currency.strip().upper() != _DOLLARS:
        raise InvalidRequest(
            f"{place}: the invoice is in {currency[:10]}; costs are recorded in USD, and only USD compares",
            param="--currency",
        )
