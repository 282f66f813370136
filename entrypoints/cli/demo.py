"""`interchange demo`: break and heal the simulated providers, and watch what Interchange makes of it."""

import json
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import click

from entrypoints.cli.configured import load_or_exit

_TIMEOUT_S: Final = 5.0
_STATE_FILE: Final = "simulator.json"

_FAULTS: Final[dict[str, dict[str, Any]]] = {
    "503": {"kind": "status", "status": 503, "retry_after_s": 5},
    "429": {"kind": "status", "status": 429, "retry_after_s": 5},
    "reset": {"kind": "reset_before_headers"},
    "silence": {"kind": "silence"},
    "slow": {"kind": "slow_first_token", "delay_s": 20},
    "cut": {"kind": "cut_after", "tokens": 5},
}


def make_group(data_dir: Callable[[], Path] | None = None) -> click.Group:
    """The group `demo`. `data_dir` says where `simulator.json` is; by default the configuration does."""
    find_data_dir = data_dir or _configured_data_dir
    url_option = click.option(
        "--url", help="Address of the simulator. Default: the one in simulator.json of the data directory."
    )

    @click.group(name="demo")
    def demo() -> None:
        """Break and heal the simulated providers."""

    @demo.command("break")
    @click.argument("provider")
    @click.option("--how", type=click.Choice(tuple(_FAULTS)), default="503", show_default=True)
    @click.option(
        "--for",
        "for_s",
        type=click.FloatRange(min=0, min_open=True),
        default=60.0,
        show_default=True,
        help="Seconds.",
    )
    @click.option("--model", help="Only this model; * and ? are allowed.")
    @url_option
    def break_provider(provider: str, how: str, for_s: float, model: str | None, url: str | None) -> None:
        """Make PROVIDER fail for a while."""
        match = {"provider": provider} | ({"model": model} if model else {})
        wanted = {"match": match, "fault": _FAULTS[how], "for_s": for_s}
        address = url or _url_in(find_data_dir())
        _call(address, "PUT", "/_sim/faults", wanted)
        seen = [name for name in _call(address, "GET", "/_sim/stats").get("providers", {}) if name]
        if provider not in seen:
            others = f" (seen: {', '.join(seen)})" if seen else ""
            click.echo(f"note: no request for {provider} has been seen yet{others}", err=True)
        what = f"{provider} ({model})" if model else provider
        click.echo(f"{what} now fails with '{how}' for {for_s:g} s. `demo heal {provider}` ends it.")

    @demo.command()
    @click.argument("provider", required=False)
    @url_option
    def heal(provider: str | None, url: str | None) -> None:
        """End the faults of PROVIDER, or all of them."""
        wanted = {"provider": provider} if provider else None
        answer = _call(url or _url_in(find_data_dir()), "DELETE", "/_sim/faults", wanted)
        count = answer.get("cleared", 0)
        click.echo(f"{count} fault{'' if count == 1 else 's'} ended. {provider or 'Everything'} works again.")

    @demo.command()
    @url_option
    def status(url: str | None) -> None:
        """Show faults in force, and what each simulated provider has seen."""
        address = url or _url_in(find_data_dir())
        rules = _call(address, "GET", "/_sim/faults").get("rules", [])
        stats = _call(address, "GET", "/_sim/stats")
        click.echo(f"simulator at {address}")
        click.echo("\n".join(_rule_line(rule) for rule in rules) or "no fault in force")
        for name, counters in stats.get("providers", {}).items():
            click.echo(
                f"{name or '(no name)'}: {counters['requests']} requests, {counters['answered']} answered, "
                f"{counters['faults']} faults, {counters['client_disconnects']} callers left, "
                f"{counters['in_flight']} in flight"
            )

    return demo


def _rule_line(rule: dict[str, Any]) -> str:
    match, effect = rule["match"], rule["effect"]
    what = " ".join(f"{name}={value}" for name, value in match.items()) or "everything"
    kind = f"{effect['kind']} {effect['status']}" if effect["kind"] == "status" else effect["kind"]
    limits = []
    if rule["left_s"] is not None:
        limits.append(f"{max(rule['left_s'], 0):.0f} s left")
    if rule["times_left"] is not None:
        limits.append(f"{rule['times_left']} times left")
    return f"fault on {what}: {kind}, struck {_times(rule['used'])}" + "".join(
        f", {limit}" for limit in limits
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _configured_data_dir() -> Path:
    return load_or_exit(None).settings.data_dir


def _url_in(data_dir: Path) -> str:
    path = data_dir / _STATE_FILE
    try:
        url = json.loads(path.read_text(encoding="utf-8"))["url"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise click.ClickException(
            f"no simulator is running here: {path} is not there. Start the server with `interchange serve`, "
            "or give the simulator's address with --url."
        ) from error
    return str(url)


def _call(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.ClickException(f"not an address of a simulator: {url}")
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = connect(parts.hostname, parts.port, timeout=_TIMEOUT_S)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"content-type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, HTTPException, ValueError) as error:
        raise click.ClickException(f"no simulator answers at {url}: {error}") from error
    finally:
        connection.close()
    if response.status != 200 or not isinstance(answer, dict):
        said = answer.get("error", answer) if isinstance(answer, dict) else answer
        raise click.ClickException(f"the simulator at {url} answered {response.status}: {said}")
    return answer
