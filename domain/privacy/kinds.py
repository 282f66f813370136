"""The closed table of what a detector may find."""

from enum import StrEnum
from typing import Final


class PiiKind(StrEnum):
    """Names are stable: they appear in policies, audit entries and placeholders."""

    EMAIL_ADDRESS = "EMAIL_ADDRESS"
    PHONE_NUMBER = "PHONE_NUMBER"
    CREDIT_CARD = "CREDIT_CARD"
    IBAN_CODE = "IBAN_CODE"
    IP_ADDRESS = "IP_ADDRESS"
    MAC_ADDRESS = "MAC_ADDRESS"
    CRYPTO = "CRYPTO"
    US_SSN = "US_SSN"
    US_ITIN = "US_ITIN"
    CA_SIN = "CA_SIN"
    MX_CURP = "MX_CURP"
    BR_CPF = "BR_CPF"
    UK_NINO = "UK_NINO"
    UK_NHS = "UK_NHS"
    DE_TAX_ID = "DE_TAX_ID"
    FR_NIR = "FR_NIR"
    ES_NIF = "ES_NIF"
    ES_NIE = "ES_NIE"
    IT_FISCAL_CODE = "IT_FISCAL_CODE"
    NL_BSN = "NL_BSN"
    BE_NN = "BE_NN"
    CH_AHV = "CH_AHV"
    PL_PESEL = "PL_PESEL"
    SE_PERSONNUMMER = "SE_PERSONNUMMER"
    FI_HETU = "FI_HETU"
    IN_AADHAAR = "IN_AADHAAR"
    IN_PAN = "IN_PAN"
    CN_RIC = "CN_RIC"
    KR_RRN = "KR_RRN"
    SG_NRIC = "SG_NRIC"
    AU_TFN = "AU_TFN"
    ZA_ID = "ZA_ID"
    PROVIDER_KEY = "PROVIDER_KEY"
    INTERCHANGE_KEY = "INTERCHANGE_KEY"
    JWT = "JWT"
    PRIVATE_KEY = "PRIVATE_KEY"
    BEARER_TOKEN = "BEARER_TOKEN"  # noqa: S105 - a name, not a token
    URL_CREDENTIALS = "URL_CREDENTIALS"
    PASSWORD = "PASSWORD"  # noqa: S105 - a name, not a password


SECRET_KINDS: Final = frozenset(
    {
        PiiKind.PROVIDER_KEY,
        PiiKind.INTERCHANGE_KEY,
        PiiKind.JWT,
        PiiKind.PRIVATE_KEY,
        PiiKind.BEARER_TOKEN,
        PiiKind.URL_CREDENTIALS,
        PiiKind.PASSWORD,
    }
)
"""What opens something, rather than says who somebody is."""

NATIONAL_ID_KINDS: Final = frozenset(
    {
        PiiKind.US_SSN,
        PiiKind.US_ITIN,
        PiiKind.CA_SIN,
        PiiKind.MX_CURP,
        PiiKind.BR_CPF,
        PiiKind.UK_NINO,
        PiiKind.UK_NHS,
        PiiKind.DE_TAX_ID,
        PiiKind.FR_NIR,
        PiiKind.ES_NIF,
        PiiKind.ES_NIE,
        PiiKind.IT_FISCAL_CODE,
        PiiKind.NL_BSN,
        PiiKind.BE_NN,
        PiiKind.CH_AHV,
        PiiKind.PL_PESEL,
        PiiKind.SE_PERSONNUMMER,
        PiiKind.FI_HETU,
        PiiKind.IN_AADHAAR,
        PiiKind.IN_PAN,
        PiiKind.CN_RIC,
        PiiKind.KR_RRN,
        PiiKind.SG_NRIC,
        PiiKind.AU_TFN,
        PiiKind.ZA_ID,
    }
)

ALL_KINDS: Final = frozenset(PiiKind)
PERSONAL_KINDS: Final = ALL_KINDS - SECRET_KINDS

_PRIORITY: Final[dict[PiiKind, int]] = {
    PiiKind.PRIVATE_KEY: 100,
    PiiKind.INTERCHANGE_KEY: 96,
    PiiKind.PROVIDER_KEY: 95,
    PiiKind.JWT: 94,
    PiiKind.URL_CREDENTIALS: 92,
    PiiKind.BEARER_TOKEN: 85,
    PiiKind.IBAN_CODE: 75,
    PiiKind.CREDIT_CARD: 74,
    PiiKind.CRYPTO: 72,
    PiiKind.EMAIL_ADDRESS: 70,
    PiiKind.IP_ADDRESS: 60,
    PiiKind.MAC_ADDRESS: 58,
    PiiKind.PASSWORD: 40,
    PiiKind.PHONE_NUMBER: 20,
}
_NATIONAL_ID_PRIORITY: Final = 65


def priority(kind: PiiKind) -> int:
    """Which kind an overlap belongs to: the higher, the more certainly its form says what it is.

    A phone number is the least certain of all; secrets win, because what is done to them is the strictest.
    """
    return _PRIORITY.get(kind, _NATIONAL_ID_PRIORITY)
