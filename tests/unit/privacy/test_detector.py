"""What is found, and what is not."""

import pytest

from adapters.privacy.detector import PatternDetector
from domain.privacy.kinds import ALL_KINDS, PiiKind

DETECTOR = PatternDetector()


def found(text: str) -> list[tuple[str, str]]:
    return [(each.kind, text[each.start : each.end]) for each in DETECTOR.find(text, ALL_KINDS)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (PiiKind.EMAIL_ADDRESS, "mailto:'o.neil+tag@mail.example.co.uk'.", "o.neil+tag@mail.example.co.uk"),
        (PiiKind.EMAIL_ADDRESS, "联系test@example.com谢谢", "test@example.com"),
        (PiiKind.EMAIL_ADDRESS, "jürgen@müller.de", "jürgen@müller.de"),
        (PiiKind.EMAIL_ADDRESS, "a@example.com. Next", "a@example.com"),
        (PiiKind.EMAIL_ADDRESS, "bob\uff20example\uff0ecom", "bob\uff20example\uff0ecom"),
        (PiiKind.PHONE_NUMBER, "+49 (0)30 901820 is ours", "+49 (0)30 901820"),
        (PiiKind.PHONE_NUMBER, "(+44) 20 7946 0958", "(+44) 20 7946 0958"),
        (PiiKind.PHONE_NUMBER, "0033 6 12 34 56 78", "0033 6 12 34 56 78"),
        (PiiKind.PHONE_NUMBER, "fax 020 7946 0958.", "020 7946 0958"),
        (PiiKind.PHONE_NUMBER, "01.42.68.53.00", "01.42.68.53.00"),
        (PiiKind.PHONE_NUMBER, "212-555-0143 ext. 22", "212-555-0143 ext. 22"),
        (PiiKind.PHONE_NUMBER, "手机13812345678", "13812345678"),
        (PiiKind.CREDIT_CARD, "3782-822463-10005", "3782-822463-10005"),
        (PiiKind.CREDIT_CARD, "row 12 4111 1111 1111 1111 123", "4111 1111 1111 1111"),
        (PiiKind.CREDIT_CARD, "my card 4222222222222", "4222222222222"),
        (PiiKind.CREDIT_CARD, "4111\u200b1111\u200b1111\u200b1111!", "4111\u200b1111\u200b1111\u200b1111"),
        (PiiKind.CREDIT_CARD, "4111\u00a01111\u00a01111\u00a01111", "4111\u00a01111\u00a01111\u00a01111"),
        (PiiKind.IBAN_CODE, "FR14 2004 1010 0505 0001 3M02 606", "FR14 2004 1010 0505 0001 3M02 606"),
        (PiiKind.IBAN_CODE, "NO9386011117947, thanks", "NO9386011117947"),
        (PiiKind.US_SSN, "ssn 536904399", "536904399"),
        (PiiKind.US_ITIN, "912-70-1234", "912-70-1234"),
        (PiiKind.IP_ADDRESS, "http://192.0.2.7/x", "192.0.2.7"),
        (PiiKind.IP_ADDRESS, "::ffff:192.0.2.7", "::ffff:192.0.2.7"),
        (PiiKind.IP_ADDRESS, "[2001:db8::1]:443", "2001:db8::1"),
        (PiiKind.MAC_ADDRESS, "00-1a-2b-3c-4d-5e", "00-1a-2b-3c-4d-5e"),
        (
            PiiKind.CRYPTO,
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        ),
        (PiiKind.UK_NHS, "NHS number 943 476 5919", "943 476 5919"),
        (PiiKind.DE_TAX_ID, "Steuer-ID 36 574 261 809", "36 574 261 809"),
        (PiiKind.FR_NIR, "2 95 10 99 126 111 93", "2 95 10 99 126 111 93"),
        (PiiKind.NL_BSN, "BSN 111222333", "111222333"),
        (PiiKind.BE_NN, "85.07.30-033.28", "85.07.30-033.28"),
        (PiiKind.CH_AHV, "756.9217.0769.85", "756.9217.0769.85"),
        (PiiKind.PL_PESEL, "PESEL: 44051401359", "44051401359"),
        (PiiKind.FI_HETU, "131052-308T", "131052-308T"),
        (PiiKind.SE_PERSONNUMMER, "880320-0016", "880320-0016"),
        (PiiKind.IN_AADHAAR, "Aadhaar 2341 2341 2346", "2341 2341 2346"),
        (PiiKind.IN_PAN, "PAN ACUPA7085R", "ACUPA7085R"),
        (PiiKind.CN_RIC, "360426199101010071", "360426199101010071"),
        (PiiKind.KR_RRN, "971013-9019902", "971013-9019902"),
        (PiiKind.SG_NRIC, "S1234567D", "S1234567D"),
        (PiiKind.AU_TFN, "TFN 123 456 782", "123 456 782"),
        (PiiKind.ZA_ID, "ID number 7503305044089", "7503305044089"),
        (PiiKind.CA_SIN, "SIN 123-456-782", "123-456-782"),
        (PiiKind.BR_CPF, "390.533.447-05", "390.533.447-05"),
        (PiiKind.MX_CURP, "BOXW310820HNERXN09", "BOXW310820HNERXN09"),
        (PiiKind.ES_NIF, "54362315K", "54362315K"),
        (PiiKind.ES_NIE, "x-2482300-w", "x-2482300-w"),
        (PiiKind.IT_FISCAL_CODE, "rccmnl83s18d969h", "rccmnl83s18d969h"),
        (PiiKind.UK_NINO, "national insurance ab123456c", "ab123456c"),
        (PiiKind.URL_CREDENTIALS, "postgres://app:s3cr3t@db:5432/x", "app:s3cr3t"),
        (PiiKind.PASSWORD, '{"password": "Tr0ub4dor&3"}', "Tr0ub4dor&3"),
        (PiiKind.PASSWORD, r"{\"api_key\": \"9f8e7d6c5b4a3f2e\"}", "9f8e7d6c5b4a3f2e"),
        (PiiKind.PASSWORD, "my password is hunter22!", "hunter22"),
        (PiiKind.PASSWORD, "Passwort: geheim99", "geheim99"),
        (PiiKind.BEARER_TOKEN, "Authorization: Bearer 9f8e7d6c5b4a3f2e1d0c", "9f8e7d6c5b4a3f2e1d0c"),
    ],
)
def test_it_is_found_where_it_is(kind: PiiKind, text: str, value: str) -> None:
    assert (kind, value) in found(text)


@pytest.mark.parametrize(
    "text",
    [
        "On 2024-05-17 at 10:30:15 we sold 1,234,567 units for $4,111.11 (99.5 %), order 481 7531.",
        "networks 10.0.0.0/8 and 2001:db8::/32",
        "version 10.2.3.4, Chrome/120.0.0.0, 127.0.0.1, 0.0.0.0, std::vector<int>, a::b, fe::ed",
        "4111 1111 1111 1112 and 4111111111111112 fail the check digit; 0000 0000 0000 0000 is nobody's.",
        "GB82 WEST 1234 5698 7654 33 fails, ZZ82WEST12345698765432 has no country.",
        "000-12-3456, 666-12-3456 and 900-12-3456 were never issued; 123-45-678 is too short.",
        "icon@2x.png, user@localhost, @pytest.fixture, foo@, @bar.com, me @ example.com",
        "commit 9f8e7d6c5b4a3f2e1d0c9f8e7d6c5b4a3f2e1d0c, uuid 123e4567-e89b-12d3-a456-426614174000",
        "token = get_token(); password = os.environ['PASSWORD']; api_key: <your key>; max_tokens: 4096000",
        "pi is 3.14159265358979, e is 2.718281828459045, 1/3 is 0.333333333333333",
        "ISBN 978-3-16-148410-0, pages 123-456, 2019-2024, lines 100 200 300 400",
        "sk-learn, task-force, xai-lab, hf_model, AKIA, eyJhbGciOi, -----BEGIN CERTIFICATE-----",
        "1700000000, 1700000000000 and 1700000000000000 are the same moment",
    ],
)
def test_what_only_looks_alike_is_not_found(text: str) -> None:
    assert found(text) == []


def test_a_private_key_is_found_to_its_end() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + "MIIEpAIBAAKCAQEA" * 20
    key += "\n-----END RSA PRIVATE KEY-----"
    assert found(f"here:\n{key}\nbye") == [(PiiKind.PRIVATE_KEY, key)]


def test_keys_of_providers_and_our_own_are_found() -> None:
    body = "aB3dE6gH9jK2mN5pQ8sT1vW4xY7zC0fR"
    for key in (
        f"sk-proj-{body}",
        f"sk-ant-api03-{body}",
        f"ghp_{body}aBcD",
        f"glpat-{body}",
        f"sk_live_{body}",
    ):
        assert found(f'key="{key}"')[0] == (PiiKind.PROVIDER_KEY, key)
    assert found(f"ik_live_a1b2c3d4_{body}_1a2b3c") == [
        (PiiKind.INTERCHANGE_KEY, f"ik_live_a1b2c3d4_{body}_1a2b3c")
    ]


def test_a_token_must_have_a_header_that_says_how_it_was_signed() -> None:
    signed = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"
    assert found(signed) == [(PiiKind.JWT, signed)]
    assert found(signed.replace("hbGci", "hbGxx")) == []
