"""The book of idempotency keys: who comes first, who is told what, and what makes room."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from domain.resilience.idempotency import Answer, Claimed, IdempotencyBook, InProgress, OtherBody

TTL_S = 100.0


def answer(body: bytes = b"said") -> Answer:
    return Answer(200, ((b"content-type", b"application/json"),), body)


def claimed(book: IdempotencyBook, key: str, *, scope: str = "acme", now: float = 0.0) -> Claimed:
    found = book.claim(scope, key, b"digest", now=now)
    assert isinstance(found, Claimed)
    return found


def answered(book: IdempotencyBook, key: str, body: bytes = b"said", *, now: float = 0.0) -> Answer:
    book.complete(claimed(book, key, now=now), said := answer(body), now=now)
    return said


def test_the_first_works_a_repeat_waits_and_later_ones_get_the_same_answer() -> None:
    book = IdempotencyBook()
    first = claimed(book, "k")
    assert isinstance(book.claim("acme", "k", b"digest", now=1), InProgress)
    book.complete(first, answer(), now=2)
    assert book.claim("acme", "k", b"digest", now=3) == answer()


def test_a_key_stands_for_one_body_while_it_runs_and_after() -> None:
    book = IdempotencyBook()
    first = claimed(book, "k")
    assert isinstance(book.claim("acme", "k", b"another", now=1), OtherBody)
    book.complete(first, answer(), now=2)
    assert isinstance(book.claim("acme", "k", b"another", now=3), OtherBody)


def test_scopes_do_not_meet() -> None:
    book = IdempotencyBook()
    answered(book, "k")
    assert isinstance(book.claim("umbrella", "k", b"another", now=1), Claimed)


def test_a_failed_request_frees_its_key_for_any_body() -> None:
    book = IdempotencyBook()
    book.release(claimed(book, "k"))
    assert isinstance(book.claim("acme", "k", b"another", now=1), Claimed)


def test_releasing_after_completing_keeps_the_answer() -> None:
    book = IdempotencyBook()
    first = claimed(book, "k")
    book.complete(first, answer(), now=0)
    book.release(first)
    assert book.claim("acme", "k", b"digest", now=1) == answer()


def test_an_answer_is_kept_from_its_completion_on_for_its_time() -> None:
    book = IdempotencyBook(ttl_s=TTL_S)
    first = claimed(book, "k", now=0)
    book.complete(first, answer(), now=60)
    assert book.claim("acme", "k", b"digest", now=60 + TTL_S - 1) == answer()
    assert isinstance(book.claim("acme", "k", b"another", now=60 + TTL_S), Claimed)
    assert book.size_bytes == 0


def test_a_request_that_runs_longer_than_answers_are_kept_still_holds_its_key() -> None:
    book = IdempotencyBook(ttl_s=TTL_S)
    claimed(book, "k", now=0)
    assert isinstance(book.claim("acme", "k", b"digest", now=10 * TTL_S), InProgress)


def test_an_answer_too_large_for_the_book_is_not_kept() -> None:
    book = IdempotencyBook(bytes_max=80)
    answered(book, "large", b"x" * 11)
    assert isinstance(book.claim("acme", "large", b"digest", now=1), Claimed)
    assert book.size_bytes == 0


def test_the_oldest_answers_make_room_for_bytes() -> None:
    book = IdempotencyBook(bytes_max=80)
    for key in "abcdefghi":
        answered(book, key, b"x" * 10)
    assert book.size_bytes == 80
    assert isinstance(book.claim("acme", "b", b"digest", now=1), Answer)
    assert isinstance(book.claim("acme", "a", b"digest", now=1), Claimed)


def test_entries_are_bounded_but_running_requests_never_make_room() -> None:
    book = IdempotencyBook(entries_max=2)
    running = claimed(book, "running")
    answered(book, "old")
    answered(book, "new")
    assert isinstance(book.claim("acme", "running", b"digest", now=1), InProgress)
    assert isinstance(book.claim("acme", "new", b"digest", now=1), Answer)
    book.complete(running, answer(), now=1)
    assert book.claim("acme", "running", b"digest", now=2) == answer()


def test_completing_what_was_released_is_ignored() -> None:
    book = IdempotencyBook()
    first = claimed(book, "k")
    book.release(first)
    book.complete(first, answer(), now=0)
    assert isinstance(book.claim("acme", "k", b"digest", now=1), Claimed)
    assert book.size_bytes == 0


class BookOfKeys(RuleBasedStateMachine):
    """Whatever happens: one runs at a time, an answer is the one that was given, and bounds hold."""

    ENTRIES_MAX = 4
    BYTES_MAX = 64

    def __init__(self) -> None:
        super().__init__()
        self.book = IdempotencyBook(ttl_s=TTL_S, entries_max=self.ENTRIES_MAX, bytes_max=self.BYTES_MAX)
        self.now = 0.0
        self.running: dict[str, tuple[Claimed, bytes]] = {}
        self.said: dict[str, tuple[bytes, Answer, float]] = {}

    @rule(key=st.sampled_from("abcdefg"), digest=st.sampled_from([b"1", b"2"]))
    def ask(self, key: str, digest: bytes) -> None:
        found = self.book.claim("acme", key, digest, now=self.now)
        if key in self.running:
            same = self.running[key][1] == digest
            assert isinstance(found, InProgress if same else OtherBody)
        elif isinstance(found, Claimed):
            self.running[key] = found, digest
            self.said.pop(key, None)
        else:
            # An answer may be gone early, for room, but is never another one and never too old.
            kept_digest, kept, expires_at = self.said[key]
            assert self.now < expires_at
            assert found == kept if digest == kept_digest else isinstance(found, OtherBody)

    @rule(data=st.data(), size=st.integers(0, 12))
    def finish(self, data: st.DataObject, size: int) -> None:
        if self.running:
            key = data.draw(st.sampled_from(sorted(self.running)))
            entry, digest = self.running.pop(key)
            said = answer(key.encode() * size)
            self.book.complete(entry, said, now=self.now)
            self.said[key] = digest, said, self.now + TTL_S

    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        if self.running:
            entry, _ = self.running.pop(data.draw(st.sampled_from(sorted(self.running))))
            self.book.release(entry)

    @rule(passed_s=st.sampled_from([1.0, TTL_S / 2, TTL_S]))
    def wait(self, passed_s: float) -> None:
        self.now += passed_s

    @invariant()
    def bounds_hold(self) -> None:
        assert 0 <= self.book.size_bytes <= self.BYTES_MAX


BookOfKeys.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestBookOfKeys = BookOfKeys.TestCase
