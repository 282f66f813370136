"""What every keeper of the audit trail promises."""

import asyncio
from collections.abc import Sequence

import pytest

from application.ports.audit import AuditLog, AuditQuestion, AuditStore, LoggedCheckpoint, Stretch
from contracts.ports._base import PortContract
from domain.audit.chain import ChainHead, empty_chain, hash_of
from domain.audit.entry import ACCESS, ACT, AuditDraft, AuditEntry
from domain.audit.merkle import Node
from domain.errors import StoreUnavailable

WRITERS = 6
EACH = 15


def draft(number: int = 1, tenant_id: str = "acme", **changed: object) -> AuditDraft:
    """An entry to be; its times and its texts follow the number."""
    made = AuditDraft(
        tenant_id=tenant_id,
        at_us=1_700_000_000_000_000 + number,
        kind=ACT,
        action="keys.create",
        outcome="begun",
        actor_kind="key",
        actor_id="Key000000001",
        actor_name="Büro",
        role="admin",
        address="192.0.2.7",
        subject=f"key {number}",
        request_id=f"req_{number}",
        refers_to=0,
        details='{"fields":["name"]}',
    )
    return made._replace(**changed)  # type: ignore[arg-type]


def is_chain(entries: Sequence[AuditEntry]) -> bool:
    """Whether these are all entries of one tenant, from the first one on."""
    before = empty_chain(entries[0].draft.tenant_id).hash
    for number, entry in enumerate(entries, 1):
        if entry.seq != number or entry.hash != hash_of(before, entry):
            return False
        before = entry.hash
    return True


class AuditStoreContract(PortContract):
    """Bind `store`, `second_store` (the same one, as another process has it) and `unreachable_store`."""

    @pytest.fixture
    def store(self) -> AuditStore:
        raise NotImplementedError

    @pytest.fixture
    def second_store(self, store: AuditStore) -> AuditStore:
        raise NotImplementedError

    @pytest.fixture
    def unreachable_store(self) -> AuditStore:
        raise NotImplementedError

    async def test_appended_entries_form_a_chain_in_their_order(self, store: AuditStore) -> None:
        first = await store.append([draft(1), draft(2)])
        [third] = await store.append([draft(3)])

        kept = await store.read("acme", 1, 10)

        assert kept == [*first, third]
        assert is_chain(kept)
        assert [entry.draft for entry in kept] == [draft(1), draft(2), draft(3)]

    async def test_each_tenant_has_a_chain_of_its_own(self, store: AuditStore) -> None:
        made = await store.append([draft(1), draft(2, "beta"), draft(3), draft(4, "beta")])

        assert [(entry.draft.tenant_id, entry.seq) for entry in made] == [
            ("acme", 1),
            ("beta", 1),
            ("acme", 2),
            ("beta", 2),
        ]
        assert is_chain(await store.read("acme", 1, 10))
        assert is_chain(await store.read("beta", 1, 10))

    async def test_heads_say_where_each_chain_ends(self, store: AuditStore) -> None:
        made = await store.append([draft(1), draft(2), draft(3, "beta")])

        heads = await store.heads()

        assert heads == {
            "acme": ChainHead(2, made[1].hash, made[1].written_at_us),
            "beta": ChainHead(1, made[2].hash, made[2].written_at_us),
        }

    async def test_writers_at_once_make_one_chain_without_gaps(
        self, store: AuditStore, second_store: AuditStore
    ) -> None:
        async def write(number: int) -> None:
            with_order = ("acme", "beta") if number % 2 else ("beta", "acme")
            for turn in range(EACH):
                keeper = (store, second_store)[number % 2]
                await keeper.append([draft(turn, tenant_id) for tenant_id in with_order])

        await asyncio.gather(*(write(number) for number in range(WRITERS)))

        for tenant_id in ("acme", "beta"):
            kept = await store.read(tenant_id, 1, 1000)
            assert len(kept) == WRITERS * EACH
            assert is_chain(kept)

    async def test_questions_narrow_and_page_from_the_newest(self, store: AuditStore) -> None:
        await store.append(
            [
                draft(1),
                draft(2, kind=ACCESS, action="llm.chat"),
                draft(3, actor_id="Key000000002", actor_name="Werk"),
                draft(4, "beta"),
                draft(5, outcome="done", refers_to=1),
            ]
        )

        async def found(limit: int = 10, **asked: object) -> list[int]:
            entries = await store.find(AuditQuestion("acme", limit, **asked))  # type: ignore[arg-type]
            return [entry.draft.at_us - draft(0).at_us for entry in entries]

        assert await found() == [5, 3, 2, 1]
        assert await found(limit=2) == [5, 3]
        assert await found(before_seq=3) == [2, 1]
        assert await found(kinds=(ACT,)) == [5, 3, 1]
        assert await found(kinds=(ACCESS,)) == [2]
        assert await found(actor="Key000000002") == await found(actor="Werk") == [3]
        assert await found(action="llm.chat") == [2]
        assert await found(subject="key 3") == [3]
        assert await found(outcome="done") == [5]
        assert await found(request_id="req_2") == [2]
        assert await found(from_us=draft(2).at_us, to_us=draft(5).at_us) == [3, 2]

    async def test_outcomes_are_found_by_what_they_refer_to(self, store: AuditStore) -> None:
        await store.append([draft(1), draft(2), draft(3, outcome="done", refers_to=1)])

        found = await store.outcomes("acme", [1, 2])

        assert {seq: entry.draft.outcome for seq, entry in found.items()} == {1: "done"}
        assert await store.outcomes("acme", []) == {}

    async def test_text_of_any_language_comes_back_as_it_went(self, store: AuditStore) -> None:
        odd = draft(1, subject="Ключ 🔑 'q\" \\ \n", details='{"n":1}')

        await store.append([odd])

        [kept] = await store.read("acme", 1, 1)
        assert kept.draft == odd
        assert is_chain([kept])

    async def test_an_unreachable_store_says_so(self, unreachable_store: AuditStore) -> None:
        for asking in (
            unreachable_store.append([draft(1)]),
            unreachable_store.find(AuditQuestion("acme", 1)),
            unreachable_store.read("acme", 1, 1),
            unreachable_store.heads(),
        ):
            with pytest.raises(StoreUnavailable):
                await asking


class AuditLogContract(PortContract):
    """Bind `store` and `log`, which is over its entries."""

    @pytest.fixture
    def store(self) -> AuditStore:
        raise NotImplementedError

    @pytest.fixture
    def log(self, store: AuditStore) -> AuditLog:
        raise NotImplementedError

    async def test_a_checkpoint_and_what_it_logged_are_found_again(
        self, store: AuditStore, log: AuditLog
    ) -> None:
        made = await store.append([draft(1), draft(2), draft(3, "beta")])
        checkpoint = LoggedCheckpoint(3, 0, 5, "note\n", (b"a" * 32, b"b" * 32))
        stretches = [Stretch("acme", 1, 2, 0), Stretch("beta", 1, 1, 2)]

        assert await log.extend(checkpoint, stretches, [Node(8, 0, b"c" * 32)])

        assert await log.newest() == checkpoint
        assert await log.checkpoints(None, 5) == [checkpoint]
        assert await log.checkpoints(3, 5) == []
        assert await log.checkpoints_from(3, 5) == [checkpoint]
        assert await log.checkpoints_from(4, 5) == []
        assert await log.stretches(1, 5) == stretches
        assert await log.stretches(2, 5) == stretches[1:]
        assert [await log.place(*at) for at in (("acme", 2), ("beta", 1), ("beta", 2))] == [1, 2, None]
        assert await log.nodes(8, 0, 2) == [b"c" * 32]
        assert await log.hashes("acme", 1, 5) == [made[0].hash, made[1].hash]
        assert await log.logged_heads() == {
            "acme": ChainHead(2, made[1].hash, 0),
            "beta": ChainHead(1, made[2].hash, 0),
        }

    async def test_a_checkpoint_is_extended_once(self, store: AuditStore, log: AuditLog) -> None:
        await store.append([draft(1), draft(2)])
        first = LoggedCheckpoint(1, 0, 5, "one\n", (b"a" * 32,))
        other = LoggedCheckpoint(2, 0, 6, "two\n", (b"b" * 32,))

        assert await log.extend(first, [Stretch("acme", 1, 1, 0)], [])
        assert not await log.extend(other, [Stretch("acme", 1, 2, 0)], [])

        assert await log.newest() == first
        assert await log.stretches(0, 5) == [Stretch("acme", 1, 1, 0)]

    async def test_a_log_without_checkpoints_has_none(self, log: AuditLog) -> None:
        assert await log.newest() is None
        assert await log.stretches(0, 5) == []
        assert await log.logged_heads() == {}
