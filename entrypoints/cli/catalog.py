"""`interchange catalog`: look at models and prices, bring feeds in, carry the catalogue elsewhere.

Works on the data directory itself. Prices are shown in dollars per million tokens; `-` is unknown, 0 is free.
"""

import json
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from application.use_cases.catalog_queries import CatalogUseCases
from application.use_cases.sync_catalog import SyncReport
from domain.catalog.document import offering_to_document
from domain.catalog.offering import Offering
from domain.catalog.prices import BUCKETS, Rates
from domain.errors import InterchangeError, UnknownModel
from domain.llm.capabilities import (
    NO_CAPABILITY,
    Capability,
    UnknownCapability,
    capability_names,
    parse_capability,
)
from domain.money import InvalidAmount, format_usd, parse_usd
from entrypoints.command_loop import run

Opener = Callable[[], AbstractContextManager[CatalogUseCases]]

LIST_ROWS_DEFAULT = 50
PIPE_COLUMNS = 200
FILE_BYTES_MAX = 64 * 1024 * 1024

_Answer = TypeVar("_Answer")


def make_group(open_use_cases: Opener) -> click.Group:
    """The group; `open_use_cases` is only called when a command really runs."""
    group = click.Group("catalog", help="Models, prices and capabilities.")
    makers: tuple[Callable[[Opener], click.Command], ...] = (_list, _show, _stats, _sync, _import, _export)
    for make in makers:
        group.add_command(make(open_use_cases))
    return group


def _list(open_use_cases: Opener) -> click.Command:
    @click.command("list")
    @click.option("--provider", help="Only this provider (id or alias).")
    @click.option("--capability", "names", multiple=True, metavar="NAME", help="Repeat to ask for several.")
    @click.option("--max-price", metavar="USD", help="Mean of input and output price per million tokens.")
    @click.option("--limit", type=click.IntRange(min=0), default=LIST_ROWS_DEFAULT, help="Rows; 0: all.")
    @click.option("--json", "as_json", is_flag=True, help="All matches as JSON.")
    def list_command(
        provider: str | None, names: tuple[str, ...], max_price: str | None, limit: int, as_json: bool
    ) -> None:
        """List offerings with prices and context windows."""
        capabilities, ceiling = _capabilities(names), _price(max_price)
        with _telling(), open_use_cases() as use:
            offerings = _run(
                use.list_offerings(
                    provider=provider, capabilities=capabilities, max_nano_usd_per_mtok=ceiling
                )
            )
        if as_json:
            _print_json([offering_to_document(offering) for offering in offerings])
            return
        shown = offerings[:limit] if limit else offerings
        _console().print(_offering_table(shown))
        if len(shown) < len(offerings):
            click.echo(f"{len(shown)} of {len(offerings)}; --limit 0 shows all", err=True)

    return list_command


def _show(open_use_cases: Opener) -> click.Command:
    @click.command("show")
    @click.argument("name", metavar="ID")
    @click.option("--json", "as_json", is_flag=True, help="As JSON, prices in nano-dollars.")
    def show_command(name: str, as_json: bool) -> None:
        """Show everything known about one offering, or about a model at every provider."""
        with _telling(), open_use_cases() as use:
            offerings = _run(use.show_offering(name))
        if as_json:
            _print_json([offering_to_document(offering) for offering in offerings])
            return
        for offering in offerings:
            _console().print(_detail_table(offering))

    return show_command


def _stats(open_use_cases: Opener) -> click.Command:
    @click.command("stats")
    @click.option("--json", "as_json", is_flag=True)
    def stats_command(as_json: bool) -> None:
        """Count offerings by provider, capability and price source."""
        with _telling(), open_use_cases() as use:
            counted = _run(use.statistics())
        if as_json:
            _print_json(asdict(counted))
            return
        totals = Table("what", "count", title=counted.version, title_justify="left")
        for key, value in asdict(counted).items():
            if isinstance(value, int):
                totals.add_row(key.replace("_", " "), str(value))
        capabilities = Table("capability", "offerings")
        for name, count in counted.by_capability.items():
            capabilities.add_row(name, str(count))
        providers = Table("provider", "offerings", "priced", "with context")
        for name, share in counted.by_provider.items():
            providers.add_row(name, str(share.offerings), str(share.priced), str(share.with_context))
        console = _console()
        for table in (totals, capabilities, providers):
            console.print(table)

    return stats_command


def _sync(open_use_cases: Opener) -> click.Command:
    @click.command("sync")
    @click.option(
        "--format", "feed_format", required=True, help="litellm, openrouter, models.dev, genai-prices."
    )
    @click.option("--url", help="http(s) address of the feed.")
    @click.option("--file", "file", type=click.Path(dir_okay=False), help="The feed in a file.")
    @click.option("--source", help="Name to keep it under. Default: the format.")
    @click.option("--json", "as_json", is_flag=True)
    def sync_command(
        feed_format: str, url: str | None, file: str | None, source: str | None, as_json: bool
    ) -> None:
        """Bring in one public feed; overrides and other feeds stay."""
        if (url is None) == (file is None):
            raise click.UsageError("give either --url or --file")
        with _telling(), open_use_cases() as use:
            if feed_format not in use.sync.formats:
                raise click.BadParameter(f"one of {', '.join(use.sync.formats)}", param_hint="--format")
            report = _run(use.sync(feed_format, url=url, file=file, source=source))
        _tell_report(report, as_json)

    return sync_command


def _import(open_use_cases: Opener) -> click.Command:
    @click.command("import")
    @click.argument("file", type=click.File("rb"))
    @click.option("--json", "as_json", is_flag=True)
    def import_command(file: Any, as_json: bool) -> None:
        """Take in a catalogue that `export` wrote, above every feed. FILE may be `-`."""
        data = file.read(FILE_BYTES_MAX + 1)
        with _telling(), open_use_cases() as use:
            report = _run(use.import_catalog(data))
        _tell_report(report, as_json)

    return import_command


def _export(open_use_cases: Opener) -> click.Command:
    @click.command("export")
    @click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
    @click.option("--source", help="Only what this saved source says. Default: everything merged.")
    def export_command(file: str, source: str | None) -> None:
        """Write the catalogue as JSON. FILE may be `-`."""
        with _telling(), open_use_cases() as use:
            data = _run(use.export_catalog(source=source))
        if file == "-":
            click.echo(data, nl=False)
            return
        try:
            Path(file).write_bytes(data)
        except OSError as error:
            raise click.ClickException(f"{file}: {error.strerror}") from error
        click.echo(f"{len(data)} bytes written to {file}", err=True)

    return export_command


def _console() -> Console:
    """As wide as the terminal; in a pipe wide enough that no name is cut."""
    found = Console()
    return found if found.is_terminal else Console(width=PIPE_COLUMNS)


def _run(answer: Coroutine[Any, Any, _Answer]) -> _Answer:
    return run(answer)


@contextmanager
def _telling() -> Iterator[None]:
    """What went wrong, in one line, with status 1."""
    try:
        yield
    except UnknownModel as error:
        near = f"; nearest: {', '.join(error.nearest)}" if error.nearest else ""
        raise click.ClickException(error.message + near) from error
    except InterchangeError as error:
        raise click.ClickException(error.message) from error


def _capabilities(names: tuple[str, ...]) -> Capability:
    found = NO_CAPABILITY
    for name in names:
        try:
            found |= parse_capability(name)
        except UnknownCapability as error:
            raise click.BadParameter(str(error), param_hint="--capability") from error
    return found


def _price(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        amount = parse_usd(text)
    except InvalidAmount as error:
        raise click.BadParameter(str(error), param_hint="--max-price") from error
    if amount < 0:
        raise click.BadParameter("must not be negative", param_hint="--max-price")
    return amount


def _usd(nano_usd: int | None) -> str:
    return "-" if nano_usd is None else format_usd(nano_usd)


def _count(tokens: int | None) -> str:
    return "-" if tokens is None else f"{tokens:,}"


def _offering_table(offerings: list[Offering]) -> Table:
    table = Table()
    table.add_column("id", overflow="fold", min_width=32)
    for heading in ("in $/M", "out $/M", "context"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("capabilities", overflow="fold")
    for offering in offerings:
        rates = offering.prices.base
        table.add_row(
            offering.id,
            _usd(rates.input),
            _usd(rates.output),
            _count(offering.context_tokens),
            " ".join(capability_names(offering.capabilities)),
        )
    return table


def _detail_table(offering: Offering) -> Table:
    prices = offering.prices
    table = Table("field", "value", title=offering.id, title_justify="left")
    table.add_row("context tokens", _count(offering.context_tokens))
    table.add_row("longest answer, tokens", _count(offering.max_output_tokens))
    table.add_row("capabilities", " ".join(capability_names(offering.capabilities)) or "-")
    table.add_row("quality (prior)", "-" if offering.quality is None else f"{offering.quality:g}")
    table.add_row("continues a prefill", "yes" if offering.prefill else "no")
    for name in ("regions", "compliance", "tags"):
        table.add_row(name, " ".join(sorted(getattr(offering, name))) or "-")
    table.add_row("aliases", " ".join(offering.aliases) or "-")
    table.add_row("version", offering.version or "-")
    table.add_row("deprecated on", offering.deprecated_on or "-")
    table.add_row("price source", prices.source)
    table.add_row("prices since", prices.effective_from or "-")
    _add_rates(table, "", prices.base)
    for tier in prices.tiers:
        _add_rates(table, f"input over {tier.above_input_tokens:,}: ", tier.rates)
    for variant in prices.variants:
        _add_rates(table, f"{variant.name}: ", variant.base)
        for tier in variant.tiers:
            _add_rates(table, f"{variant.name}, input over {tier.above_input_tokens:,}: ", tier.rates)
    if prices.per_request:
        table.add_row("$ per request", _usd(prices.per_request))
    if prices.batch_multiplier_percent is not None:
        table.add_row("batch, % of price", str(prices.batch_multiplier_percent))
    for unit, nano_usd in prices.units:
        table.add_row(f"$/M {unit.replace('_', ' ')}", _usd(nano_usd))
    for unit, nano_usd in prices.extras:
        table.add_row(f"$ per {unit} (shown, not billed)", _usd(nano_usd))
    return table


def _add_rates(table: Table, prefix: str, rates: Rates) -> None:
    for bucket in BUCKETS:
        rate = getattr(rates, bucket)
        if rate is not None or bucket in ("input", "output"):
            table.add_row(f"{prefix}$/M {bucket.replace('_', ' ')}", _usd(rate))


def _tell_report(report: SyncReport, as_json: bool) -> None:
    if as_json:
        _print_json(asdict(report))
        return
    found = report.changes
    click.echo(
        f"{report.source}: {report.offerings} offerings of {report.providers} providers ({report.version})"
    )
    click.echo(
        f"added {len(found.added)}, removed {len(found.removed)}, "
        f"repriced {len(found.repriced)}, changed {len(found.changed)}"
    )


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
