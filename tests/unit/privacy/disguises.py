"""Texts made of what detectors look for, whole, broken and disguised."""

from typing import Final

from hypothesis import strategies as st

WHOLE: Final = (
    "anna.muster@example.co.uk", "müller@straße.de", "+49 30 901820", "+1 (415) 555-2671 x12",
    "(212) 555-0143", "001-668-040-8670x1711", "481 7531", "06 12 34 56 78", "4111 1111 1111 1111",
    "4111111111111111", "3782 822463 10005", "GB82 WEST 1234 5698 7654 32", "gb29nwbk60161331926819",
    "536-90-4399", "536904399", "203.0.113.77", "2001:db8::ff00:42:8329", "fe80::1",
    "00:1A:2B:3C:4D:5E", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe", "RSSMRA85T10A562S", "X1234567L", "12345678Z",
    "AB 12 34 56 C", "943 476 5919", "44051401359", "390.533.447-05", "756.9217.0769.85", "131052-308T",
    "2 55 08 14 168 025 38", "sk-ant-api03-" + "aB3dE6gH9" * 9, "AKIA" + "Z7Q2M4N6P8R1T3V5",
    "ghp_" + "a1B2c3D4e5F6" * 3, "ik_live_a1b2c3d4_" + "Zx9y" * 8,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "https://bob:s3cret@example.com/x", "Bearer " + "a1b2c3d4e5" * 8,
    'password: "correct horse 7 battery"', "password is hunter22!",
    "api_key = a8f5f167f44f4964e6c998dee827110c",
    "-----BEGIN PRIVATE KEY-----\nMIIB" + "Ab3+" * 20 + "\n-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIB" + "Ab3+" * 20,
)  # fmt: skip
"""Each is found beside the right words, if not by itself."""
PARTS: Final = (
    " ", "  ", "\n", ".", ",", "-", "/", "+", "(", ") ", ":", "@", "x", "'", '"', "\\", "_", "=", "0",
    "1", "44", "123", "4444 4444 4444 4444", "1 2 3 4 5 6 ", "2024-05-17", "e", "eyJ", "sk-", "AB",
    "GB82", "ext. 12", "office", "fax", "Phone: ", "order ", "ssn ", "card ", "bearer ", "token",
    "password", " is ", "://", "-----", "BEGIN", "a" * 70, "1" * 20, "漢字", "é", "\u200b", "\u200b" * 20,
    "\u00a0", "\uff14\uff11\uff11\uff11", "٤٢", "\uff20", "\u2013", "😀",
)  # fmt: skip


def texts(parts_max: int = 10) -> st.SearchStrategy[str]:
    """Whole ones, halves of them, and what stands between, in any order."""
    halves = st.sampled_from(WHOLE).flatmap(
        lambda whole: st.integers(0, len(whole)).flatmap(
            lambda place: st.sampled_from([whole[:place], whole[place:]])
        )
    )
    unseen = st.sampled_from(WHOLE).map("\u200d".join)
    part = st.one_of(
        st.sampled_from(WHOLE),
        st.sampled_from(PARTS),
        st.sampled_from(PARTS),
        halves,
        unseen,
        st.text(max_size=4),
    )
    return st.lists(part, max_size=parts_max).map("".join)
