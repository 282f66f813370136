"""How a byte stream becomes frames, however it was cut."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.wire import sse
from adapters.wire.sse import Frame, SseSplitter


def frames_of(*chunks: bytes) -> list[Frame]:
    splitter = SseSplitter()
    found = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    last = splitter.end()
    return found if last is None else [*found, last]


def test_a_plain_data_frame_is_split_with_its_blank_line() -> None:
    assert frames_of(b'data: {"a":1}\n\ndata: [DONE]\n\n') == [
        Frame(b'data: {"a":1}\n\n', None, b'{"a":1}'),
        Frame(b"data: [DONE]\n\n", None, b"[DONE]"),
    ]


def test_event_names_multi_line_data_and_missing_spaces_are_read() -> None:
    assert frames_of(b"event:ping\ndata:one\ndata: two\nid: 7\n\n") == [
        Frame(b"event:ping\ndata:one\ndata: two\nid: 7\n\n", "ping", b"one\ntwo")
    ]


def test_a_comment_only_frame_has_no_data() -> None:
    assert frames_of(b": OPENROUTER PROCESSING\n\n") == [Frame(b": OPENROUTER PROCESSING\n\n", None, None)]


def test_every_line_end_is_understood() -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        raw = b"event: x" + end + b"data: 1" + end + end
        assert [(f.event, f.data) for f in frames_of(raw + b"data: 2" + end + end)] == [
            ("x", b"1"),
            (None, b"2"),
        ]


def test_a_single_crlf_does_not_end_a_frame() -> None:
    assert [f.data for f in frames_of(b"data: 1\r\ndata: 2\r\n\r\n")] == [b"1\n2"]


def test_a_byte_order_mark_is_not_part_of_the_first_field() -> None:
    assert [f.data for f in frames_of(b"\xef\xbb\xbfdata: 1\n\n")] == [b"1"]


def test_the_end_of_the_connection_yields_an_unterminated_frame() -> None:
    assert [f.data for f in frames_of(b"data: [DONE]")] == [b"[DONE]"]
    assert frames_of(b"\n\n\n") == []


def test_an_endless_frame_overflows_instead_of_growing() -> None:
    splitter = SseSplitter()
    piece = b"x" * (1024 * 1024)
    for _ in range(sse.FRAME_BYTES_MAX // len(piece) + 1):
        assert splitter.feed(piece) == []
    assert splitter.overflowed
    assert splitter.feed(b"data: 1\n\n") == []


def test_a_frame_over_the_limit_overflows_even_when_it_comes_whole() -> None:
    splitter = SseSplitter()
    found = splitter.feed(b"data: 1\n\ndata: " + b"x" * sse.FRAME_BYTES_MAX + b"\n\ndata: 2\n\n")
    assert [frame.data for frame in found] == [b"1"]
    assert splitter.overflowed


_PIECE = st.sampled_from(
    [
        b"data: {}",
        b"data:x",
        b"event: ping",
        b": note",
        b"\n",
        b"\n\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"retry: 1",
    ]
)


@given(pieces=st.lists(_PIECE, max_size=14), cuts=st.lists(st.integers(0, 120), max_size=8))
@settings(max_examples=300)
def test_any_cutting_of_the_bytes_gives_the_same_frames(pieces: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    cut = [whole[a:b] for a, b in pairwise(edges)]
    one_by_one = [whole[i : i + 1] for i in range(len(whole))]
    assert frames_of(*cut) == frames_of(whole) == frames_of(*one_by_one)
