"""`interchange login` and `interchange logout`: a person's own token instead of a key."""

import webbrowser

import click

from entrypoints.cli.api_client import ApiClient
from entrypoints.cli.kept_tokens import forget_token, keep_token, tokens_file
from entrypoints.cli.login_flow import WAIT_S, log_in


@click.command()
@click.option("--server", envvar="INTERCHANGE_URL", required=True, help="Address of the server.")
@click.option("--no-browser", is_flag=True, help="Only print the address to open.")
@click.option("--wait", "wait_s", type=click.FloatRange(1, 3600), default=WAIT_S, help="Seconds to wait.")
def login(server: str, no_browser: bool, wait_s: float) -> None:
    """Log in at the identity provider of a server.

    Commands that are given no key use the login from then on, with --url or INTERCHANGE_URL.
    """

    def show(url: str) -> None:
        click.echo(f"Open this page to log in:\n\n  {url}\n", err=True)
        if not no_browser:
            webbrowser.open(url)

    token = log_in(ApiClient(server, ""), show, wait_s=wait_s)
    who = ApiClient(server, token.access_token).call("GET", "/auth/session")["data"]
    try:
        keep_token(server, token)
    except OSError as error:
        raise click.ClickException(f"{tokens_file()} cannot be written ({error.strerror})") from error
    click.echo(f"logged in at {server} as {who['name']} ({who['role']} of {who['tenant_id']})")


@click.command()
@click.option("--server", envvar="INTERCHANGE_URL", required=True, help="Address of the server.")
def logout(server: str) -> None:
    """Forget the login at a server."""
    if forget_token(server) is None:
        raise click.ClickException(f"there is no login at {server}")
    click.echo(f"the login at {server} is forgotten; the identity provider's own goes on")
