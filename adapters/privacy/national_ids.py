"""Numbers that states give to people: a form, a check digit, and a word where the form is a common one."""

import re
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Final, NamedTuple

from domain.privacy.context import ContextWords, context_words
from domain.privacy.kinds import PiiKind

OTHERS: Final = ("order", "invoice", "ticket", "tracking", "version", "isbn", "sku", "card", "account")


class NationalId(NamedTuple):
    """`pattern` is matched where a row of digits or a word begins. `check` is a module of python-stdnum whose
    `is_valid` decides, or a function of our own. Without `words`, or where `certain`, no word need say so."""

    kind: PiiKind
    pattern: re.Pattern[str]
    check: str | Callable[[str], bool]
    words: ContextWords
    certain: re.Pattern[str] | None = None


def _words(*words: str) -> ContextWords:
    return context_words(words, OTHERS)


def _form(pattern: str, *, any_case: bool = False) -> re.Pattern[str]:
    return re.compile(pattern + r"(?![0-9A-Za-z_])(?![-.][0-9])", re.IGNORECASE if any_case else 0)


_ANY: Final = re.compile("")


def _is_ssn(number: str) -> bool:
    """As issued since 2011: any area but 000, 666 and 9xx, no part of zeros; not the numbers of leaflets."""
    digits = re.sub(r"[^0-9]", "", number)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    if area in ("000", "666") or area >= "900" or group == "00" or serial == "0000":
        return False
    return len(set(digits)) > 2 and digits not in ("123456789", "219099999", "078051120")


def _is_itin(number: str) -> bool:
    group = int(re.sub(r"[^0-9]", "", number)[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


def _is_nino(number: str) -> bool:
    return number[:2].upper() not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def _is_pan(number: str) -> bool:
    return number[5:9] != "0000"


def _is_nric(number: str) -> bool:
    """The check letter of Singapore's identity numbers."""
    letter, digits, check = number[0].upper(), number[1:8], number[8].upper()
    total = sum(weight * int(digit) for weight, digit in zip((2, 7, 6, 5, 4, 3, 2), digits, strict=True))
    table = {
        "S": ("JZIHGFEDCBA", 0),
        "T": ("JZIHGFEDCBA", 4),
        "F": ("XWUTRQPNMLK", 0),
        "G": ("XWUTRQPNMLK", 4),
    }
    letters, offset = table[letter]
    return letters[(total + offset) % 11] == check


NUMBERS: Final = (
    NationalId(
        PiiKind.US_SSN,
        _form(r"[0-9]{3}([- ]?)[0-9]{2}\1[0-9]{4}"),
        _is_ssn,
        _words("ssn", "social security", "social", "soc sec", "social insurance"),
        _form(r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    ),
    NationalId(
        PiiKind.US_ITIN,
        _form(r"9[0-9]{2}([- ]?)[0-9]{2}\1[0-9]{4}"),
        _is_itin,
        _words("itin", "taxpayer", "tax id", "individual taxpayer"),
        _form(r"9[0-9]{2}-[0-9]{2}-[0-9]{4}"),
    ),
    NationalId(
        PiiKind.CA_SIN,
        _form(r"[0-9]{3}([- ]?)[0-9]{3}\1[0-9]{3}"),
        "ca.sin",
        _words("sin", "social insurance", "nas"),
    ),
    NationalId(
        PiiKind.BR_CPF,
        _form(r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-?[0-9]{2}"),
        "br.cpf",
        _words("cpf", "cadastro"),
        _form(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    ),
    NationalId(
        PiiKind.UK_NHS,
        _form(r"[0-9]{3}([- ]?)[0-9]{3}\1[0-9]{4}"),
        "gb.nhs",
        _words("nhs", "national health", "health service", "health number"),
    ),
    NationalId(
        PiiKind.DE_TAX_ID,
        _form(r"[1-9][0-9](?: ?[0-9]{3}){3}"),
        "de.idnr",
        _words("steuer", "steuerid", "steueridentifikationsnummer", "identifikationsnummer", "idnr"),
    ),
    NationalId(
        PiiKind.FR_NIR,
        _form(r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-4][0-9]) ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
        "fr.nir",
        _words("nir", "sécurité sociale", "insee"),
        _ANY,
    ),
    NationalId(
        PiiKind.ES_NIF, _form(r"[0-9]{8}[- ]?[A-Z]", any_case=True), "es.dni", _words("dni", "nif"), _ANY
    ),
    NationalId(
        PiiKind.NL_BSN,
        _form(r"[0-9]{4}[ .]?[0-9]{2}[ .]?[0-9]{3}"),
        "nl.bsn",
        _words("bsn", "burgerservicenummer", "sofinummer", "sofi"),
    ),
    NationalId(
        PiiKind.BE_NN,
        _form(r"[0-9]{2}[. ]?[0-9]{2}[. ]?[0-9]{2}[- ]?[0-9]{3}[. ]?[0-9]{2}"),
        "be.nn",
        _words(
            "rijksregisternummer", "registre national", "nationaal nummer", "insz", "niss", "national number"
        ),
        _form(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"),
    ),
    NationalId(
        PiiKind.CH_AHV,
        _form(r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}"),
        "ch.ssn",
        _words("ahv", "avs", "sozialversicherungsnummer"),
        _form(r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}"),
    ),
    NationalId(PiiKind.PL_PESEL, _form(r"[0-9]{11}"), "pl.pesel", _words("pesel")),
    NationalId(
        PiiKind.SE_PERSONNUMMER,
        _form(r"(?:19|20)?[0-9]{6}[-+][0-9]{4}"),
        "se.personnummer",
        _words("personnummer", "personal number"),
        _ANY,
    ),
    NationalId(
        PiiKind.FI_HETU,
        _form(r"[0-3][0-9][01][0-9]{3}[-+A][0-9]{3}[0-9A-Y]", any_case=True),
        "fi.hetu",
        _words("hetu", "henkilötunnus"),
        _ANY,
    ),
    NationalId(
        PiiKind.IN_AADHAAR,
        _form(r"[2-9][0-9]{3}([ -]?)[0-9]{4}\1[0-9]{4}(?! ?[0-9])"),
        "in_.aadhaar",
        _words("aadhaar", "aadhar", "adhaar", "uidai", "uid", "आधार"),
    ),
    NationalId(
        PiiKind.CN_RIC,
        _form(r"[1-9][0-9]{16}[0-9X]", any_case=True),
        "cn.ric",
        _words("身份证", "identity"),
        _ANY,
    ),
    NationalId(PiiKind.KR_RRN, _form(r"[0-9]{6}-[0-9]{7}"), "kr.rrn", _words("주민등록번호", "rrn"), _ANY),
    NationalId(
        PiiKind.AU_TFN, _form(r"[0-9]{3}([ -]?)[0-9]{3}\1[0-9]{2,3}"), "au.tfn", _words("tfn", "tax file")
    ),
    NationalId(
        PiiKind.ZA_ID,
        _form(r"[0-9]{6}([ ]?)[0-9]{4}\1[0-9]{3}"),
        "za.idnr",
        _words("south african", "identity number", "id number", "sa id"),
    ),
)
"""Those that begin with a digit."""


def _one_of(entries: tuple[NationalId, ...]) -> re.Pattern[str]:
    """Matches exactly where the pattern of one of them does."""
    forms = []
    for number, entry in enumerate(entries):
        named = re.sub(r"\((?!\?)", f"(?P<g{number}>", entry.pattern.pattern)
        form = named.replace("\\1", f"(?P=g{number})")
        forms.append(f"(?i:{form})" if entry.pattern.flags & re.IGNORECASE else f"(?:{form})")
    return re.compile("|".join(forms))


ANY_NUMBER: Final = _one_of(NUMBERS)
"""One look instead of one for each of them: most rows of digits are none."""

CODES: Final = (
    NationalId(
        PiiKind.UK_NINO,
        _form(
            r"(?:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2}( ?)[0-9]{2}\1[0-9]{2}\1[A-D]"
            r"|[a-z]{2}[0-9]{6}[a-d])"
        ),
        _is_nino,
        _words("nino", "national insurance", "ni number", "insurance number"),
        _form(r"[A-Z]{2} ?[0-9]{2}( ?)[0-9]{2}\1[0-9]{2}\1[A-D]"),
    ),
    NationalId(
        PiiKind.ES_NIE, _form(r"[XYZ]-?[0-9]{7}-?[A-Z]", any_case=True), "es.nie", _words("nie"), _ANY
    ),
    NationalId(
        PiiKind.IT_FISCAL_CODE,
        _form(r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", any_case=True),
        "it.codicefiscale",
        _words("codice fiscale"),
        _ANY,
    ),
    NationalId(
        PiiKind.MX_CURP,
        _form(r"[A-Z]{4}[0-9]{6}[HM][A-Z]{5}[0-9A-Z][0-9]", any_case=True),
        "mx.curp",
        _words("curp"),
        _ANY,
    ),
    NationalId(
        PiiKind.IN_PAN,
        _form(r"[A-Z]{3}[ABCFGHJLPT][A-Z][0-9]{4}[A-Z]", any_case=True),
        _is_pan,
        _words("pan", "permanent account", "pan card", "account", "card"),
    ),
    NationalId(
        PiiKind.SG_NRIC, _form(r"[STFG][0-9]{7}[A-Z]", any_case=True), _is_nric, _words("nric", "fin"), _ANY
    ),
)
"""Those that begin with a letter."""

CODE_CHARS_MAX: Final = 18


def is_checked(entry: NationalId, number: str) -> bool:
    """Whether the check digit, or whatever else the state computes, is right."""
    if not isinstance(entry.check, str):
        return entry.check(number)
    return _validity(entry.check)(number)


@lru_cache(maxsize=64)
def _validity(module: str) -> Callable[[str], bool]:
    """Loaded when first asked: a process that never meets a kind never loads its tables."""
    is_valid: Callable[[str], bool] = import_module(f"stdnum.{module}").is_valid
    return is_valid
