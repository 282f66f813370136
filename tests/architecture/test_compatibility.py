"""The page of clients that work tells of the versions that are pinned, and of nothing that failed."""

from tests.clients.page import PAGE
from tests.clients.pins import CLIENTS, label, pinned_versions

TEXT = PAGE.read_text()


def test_the_pages_versions_are_the_pinned_ones() -> None:
    versions = pinned_versions()
    told = {client: label(client, versions) for client in CLIENTS}
    stale = [
        client.title
        for client, packages in told.items()
        if f"\n## {client.title}\n\n{packages} from" not in TEXT or f") | {packages} | " not in TEXT
    ]
    assert not stale, f"run `make clients`: the page tells other versions of {stale}"


def test_every_client_passed() -> None:
    assert "**fail**" not in TEXT and "not run" not in TEXT, "run `make clients` and mend what fails"
    for client in CLIENTS:
        assert f"\n## {client.title}\n" in TEXT
