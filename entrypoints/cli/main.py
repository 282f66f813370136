"""`interchange`: the command line. Exit status 0: done; 1: failed; 2: the command was not understood."""

import sys
from collections.abc import Sequence

import click

from entrypoints.cli.lazy_group import LazyCommand, LazyGroup
from entrypoints.garbage_collection import collect_rarely
from entrypoints.version import version

COMMANDS = {
    "serve": LazyCommand("entrypoints.cli.serve", "serve", "Run the server, its workers and the gateway."),
    "doctor": LazyCommand(
        "entrypoints.cli.doctor", "doctor", "Find what keeps this installation from working."
    ),
    "config": LazyCommand("entrypoints.cli.config", "config", "Check, export and compare the configuration."),
    "keys": LazyCommand("entrypoints.cli.offline", "keys", "Create, list, revoke and recover API keys."),
    "credentials": LazyCommand(
        "entrypoints.cli.offline", "credentials", "Keep secrets of others sealed, and turn the keys."
    ),
    "tenants": LazyCommand(
        "entrypoints.cli.offline", "tenants", "Describe, suspend and remove tenants; their projects."
    ),
    "roles": LazyCommand("entrypoints.cli.offline", "roles", "Show roles, and make a tenant's own."),
    "login": LazyCommand("entrypoints.cli.login", "login", "Log in at a server's identity provider."),
    "logout": LazyCommand("entrypoints.cli.login", "logout", "Forget the login at a server."),
    "providers": LazyCommand("entrypoints.cli.providers", "providers", "Providers of the running server."),
    "route": LazyCommand("entrypoints.cli.route", "route", "Explain which provider would answer, and why."),
    "tail": LazyCommand("entrypoints.cli.tail", "tail", "Show requests as they end: who, model, cost, why."),
    "requests": LazyCommand("entrypoints.cli.requests", "requests", "One request: attempts, cost, content."),
    "budget": LazyCommand("entrypoints.cli.offline", "budget", "Set limits on spending, see how they stand."),
    "limits": LazyCommand("entrypoints.cli.offline", "limits", "Limit requests and tokens, by anything."),
    "integrations": LazyCommand(
        "entrypoints.cli.integrations", "integrations", "Databases, APIs, storage and MCP servers."
    ),
    "tools": LazyCommand("entrypoints.cli.tools", "tools", "What integrations can do, and having it done."),
    "webhooks": LazyCommand(
        "entrypoints.cli.webhooks", "webhooks", "Where events are sent, and what became of them."
    ),
    "events": LazyCommand(
        "entrypoints.cli.events", "events", "What happened and what happens; webhooks of others."
    ),
    "usage": LazyCommand("entrypoints.cli.offline", "usage", "What was used and what it cost, by anything."),
    "recommendations": LazyCommand(
        "entrypoints.cli.recommendations", "recommendations", "What would cost less or go better, and why."
    ),
    "report": LazyCommand("entrypoints.cli.offline", "report", "A month at a glance: who paid, for what."),
    "forecast": LazyCommand("entrypoints.cli.offline", "forecast", "What usage comes to, with intervals."),
    "anomalies": LazyCommand("entrypoints.cli.offline", "anomalies", "Hours that were out of the ordinary."),
    "reconcile": LazyCommand(
        "entrypoints.cli.offline", "reconcile", "Compare a provider's invoice with what was recorded."
    ),
    "cache": LazyCommand(
        "entrypoints.cli.cache", "cache", "Answers that are given again: why, and until when."
    ),
    "backtest": LazyCommand(
        "entrypoints.cli.backtest", "backtest", "What another policy would have brought, from records."
    ),
    "experiment": LazyCommand(
        "entrypoints.cli.experiment", "experiment", "Try ways of answering a route on a share of users."
    ),
    "sla": LazyCommand("entrypoints.cli.alerts", "sla", "How objectives stand: error budgets, burn rates."),
    "alerts": LazyCommand("entrypoints.cli.alerts", "alerts", "What is wrong now, and what was."),
    "stop": LazyCommand("entrypoints.cli.stop", "stop", "Stop an agent, see who is stopped, let it go on."),
    "connect": LazyCommand(
        "entrypoints.cli.connect", "connect", "Point Claude Code, Codex or Cursor at this server."
    ),
    "import": LazyCommand(
        "entrypoints.cli.import_litellm", "import_", "Take over another gateway's configuration and keys."
    ),
    "batch": LazyCommand("entrypoints.cli.batch", "batch", "Have a file of requests answered."),
    "audit": LazyCommand(
        "entrypoints.cli.offline", "audit", "Who did what: list, export, and prove it unchanged."
    ),
    "privacy": LazyCommand("entrypoints.cli.privacy", "privacy", "What is done about personal data."),
    "guardrails": LazyCommand(
        "entrypoints.cli.guardrails", "guardrails", "What is checked in requests and answers."
    ),
    "db": LazyCommand("entrypoints.cli.offline", "db", "Migrate the database and look at it."),
    "backup": LazyCommand("entrypoints.cli.offline", "backup", "Everything kept, as one file, at any time."),
    "restore": LazyCommand("entrypoints.cli.offline", "restore", "Put a backup into a new data directory."),
    "catalog": LazyCommand("entrypoints.cli.offline", "catalog", "Models, prices and capabilities."),
    "models": LazyCommand(
        "entrypoints.cli.offline", "models", "Compare models; install the one that compares questions."
    ),
    "quality": LazyCommand("entrypoints.cli.quality", "quality", "How good answers are, by model and task."),
    "feedback": LazyCommand("entrypoints.cli.feedback", "feedback", "Say how good an answer was."),
    "demo": LazyCommand("entrypoints.cli.offline", "demo", "Break and heal the simulated providers."),
}


@click.command(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(version(), prog_name="interchange")
def interchange() -> None:
    """Interchange: every outward call of your agents, routed, bounded and explained."""


@interchange.command("version", hidden=True)
def show_version() -> None:
    """Print the version."""
    click.echo(version())


def main(arguments: Sequence[str] | None = None) -> None:
    """The `interchange` program: errors become one clear line each, never a traceback."""
    from domain.errors import InterchangeError

    collect_rarely()
    try:
        status = interchange.main(args=arguments, prog_name="interchange", standalone_mode=False)
    except click.Abort:
        click.echo("interrupted", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except InterchangeError as error:
        click.echo(f"Error: {error.message}", err=True)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    # Outside its own standalone mode, click returns what a command asked to exit with.
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
