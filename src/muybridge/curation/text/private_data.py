"""How private data is written: patterns, most with a check, in the order in which they are looked for."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from muybridge.curation.text.checksums import (
    digits_of,
    is_china_id,
    is_cpf,
    is_dni,
    is_iban,
    is_luhn,
    is_verhoeff,
)

KINDS = ("email", "url", "ip", "iban", "card", "id", "birth date", "phone", "address", "plate", "handle")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One way in which private data is written. Matches that do not pass `check` are none."""

    kind: str
    pattern: re.Pattern[str]
    check: Callable[[str], bool] = bool

    def __post_init__(self) -> None:
        assert self.kind in KINDS, self.kind


def _rule(kind: str, pattern: str, *, check: Callable[[str], bool] = bool) -> Rule:
    """A pattern in the verbose way of writing, for any case."""
    return Rule(kind=kind, pattern=re.compile(pattern, re.VERBOSE | re.IGNORECASE), check=check)


def _as_written(kind: str, pattern: str, *, check: Callable[[str], bool] = bool) -> Rule:
    """The same, where capitals tell a name or a plate from words."""
    return Rule(kind=kind, pattern=re.compile(pattern, re.VERBOSE), check=check)


def _is_ip(kind: type[ipaddress.IPv4Address] | type[ipaddress.IPv6Address]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            kind(text)
        except ipaddress.AddressValueError:
            return False
        return True

    return check


def _is_card(text: str) -> bool:
    return 13 <= len(digits_of(text)) <= 19 and is_luhn(text)


def _is_phone(text: str) -> bool:
    """Digits enough, and no date with a time or a second date after it."""
    return 6 <= len(digits_of(text)) <= 15 and not _DATE.match(text.strip())


def _is_national(text: str) -> bool:
    return 9 <= len(digits_of(text)) <= 12 and _is_phone(text)


def _is_plate(text: str) -> bool:
    """Not one of the formats and standards that are written alike: USB-C 30, 1080 HDR."""
    return not _NO_PLATE.search(text)


_DATE = re.compile(r"\(?\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b(?![./-]\d)")
_NO_PLATE = re.compile(r"^(?:CD|DVD|USB|BD|HD|TV|PS|XL|VHS|DIN|ISO|UTC|GMT)\b|(?:FPS|HDR|SDR|KHZ|MHZ|GHZ|RPM|BPM|PX)$")
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’.-]{0,40}"  # of a street, capitalised
_STREET = r"""(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Dr|Boulevard|Blvd|Court|Ct|Place|Pl|Square|Sq|Terrace
    |Crescent|Close|Highway|Hwy|Parkway|Pkwy|Alley|Gardens|Grove|Way)"""
_RUE = r"(?:rue|avenue|boulevard|place|chemin|impasse|quai|calle|avenida|plaza|paseo|via|viale|piazza|corso|rua)"
_ARTICLES = r"(?:(?:de|del|du|des|di|da|la|las|le|los)\s|[ld]['’])*"
_SITE = r"""(?:twitter|x|instagram|facebook|fb|tiktok|linkedin|github|gitlab|reddit|snapchat|threads|twitch|vk|t
    |youtube)\.(?:com|me|tv|net|org)"""
_NO_USER = r"(?!(?:watch|search|home|about|help|explore|login|hashtag|p|reel|status|playlist|results)\b)"
_CALL = r"""\b(?:tel(?:ephone|efon)?|phone|ph|call|cell|mobile|mob|fax|whats\s?app|sms|text|dial|ring)\b
    (?:\s(?:us|me|now|at|on|no|number))*\.?:?\s*"""
_OPEN, _CLOSE = r"[\[({<]\s?", r"\s?[\])}>]"  # round an "at" that is spelled out
_MORE = r"(?:[\s./()-]{0,3}\d)"  # one more digit of a number, whatever stands between

RULES = (
    _rule("url", r"\b[a-z][a-z0-9+.-]{0,20}://[^\s/@]{1,200}@\S+"),  # a user name before the host
    _rule("email", r"[\w.+%-]{1,64}\s?[@＠]\s?[\w-]+(?:\s?\.\s?[\w-]+)*\.\s?[a-z]{2,24}\b"),
    _rule(
        "email",
        rf"\b[\w.+-]{{1,64}}\s?{_OPEN}at{_CLOSE}\s?[\w-]{{1,63}}(?:\s?(?:{_OPEN}dot{_CLOSE}|\sdot\s|\.)\s?[\w-]{{2,63}})+",
    ),
    _rule("email", r"\b[\w.+-]{1,64}\sat\s[\w-]{1,63}(?:\sdot\s[\w-]{2,63})+"),
    _rule(
        "url",
        rf"""(?:https?://)?(?<![\w.])(?:www\.|m\.)?{_SITE}/(?:@|in/|u/|user/|c/|channel/|people/)?
        {_NO_USER}[\w.%-]+(?:/[\w./%-]*)?""",
    ),
    _rule(
        "ip", r"(?<![\w.])(?<!\bv\s)(?<!version\s)(?:\d{1,3}\.){3}\d{1,3}(?!\.?\w)", check=_is_ip(ipaddress.IPv4Address)
    ),
    _rule("ip", r"(?<![\w:])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])", check=_is_ip(ipaddress.IPv6Address)),
    _rule("ip", r"\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b"),  # the hardware's address
    _as_written("iban", r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?\b", check=is_iban),
    _rule("card", r"(?<![\d.,+-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\d.,]?\d)", check=_is_card),
    _rule("id", r"(?<![\d-])(?!000|666|9\d\d)\d{3}[- ](?!00)\d{2}[- ](?!0000)\d{4}(?![\d-])"),  # US social security
    _rule("id", r"\b(?:ssn|social\ssecurity)\b\D{0,12}(?P<private>\d{3}[- ]?\d{2}[- ]?\d{4})\b"),
    _rule("id", r"\b(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z]{2}\s?\d{2}\s?\d{2}\s?\d{2}\s?[A-D]\b"),  # UK insurance
    _rule("id", r"\b[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z]\b"),  # Italy
    _rule("id", r"\b(?:\d{8}|[XYZ]-?\d{7})-?[A-Z]\b", check=is_dni),
    _rule("id", r"(?<!\d)\d{17}[\dX]\b", check=is_china_id),
    _rule("id", r"(?<!\d)\d{3}\.\d{3}\.\d{3}-\d{2}\b", check=is_cpf),
    _rule("id", r"(?<![\d.,])[2-9]\d{3}[ -]\d{4}[ -]\d{4}(?![ -]?\d)", check=is_verhoeff),  # India
    _rule("id", r"(?<!\d)[12]\s?\d{2}\s?(?:0[1-9]|1[0-2])\s?\d{2}\s?\d{3}\s?\d{3}\s?\d{2}(?!\d)"),  # France
    _rule("id", r"(?<!\d)(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}(?!\d)"),  # Sweden
    _rule(
        "id",
        r"""\b(?:passport|pass\s?no|id\scard|identity|national\sid|driver'?s?\slicen[cs]e)\b
        [^\d\n]{0,14}?(?P<private>\b[A-Z]{0,3}\d{6,10})\b""",
    ),
    _rule(
        "birth date",
        r"""\b(?:dob|d\.o\.b\.?|date\sof\sbirth|birth\s?date|geb(?:oren)?\.?)\s*:?\s*(?:am\s)?
        (?P<private>\d{1,4}[./ -]\w{1,9}[./ -]\d{2,4})""",
    ),
    _rule("phone", rf"(?<![\w+])\+\s?\(?\d{_MORE}{{6,14}}(?!\d)", check=_is_phone),
    _rule("phone", rf"(?<![\w.,:])00[1-9]{_MORE}{{7,13}}(?!\d)", check=_is_phone),
    _rule("phone", rf"{_CALL}(?P<private>[+(]?\d{_MORE}{{5,14}})(?!\d)", check=_is_phone),
    _rule("phone", r"(?<![\w.,/-])(?:1[ .-])?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}(?!\w|[.,-]\d)"),  # America
    _rule("phone", r"(?<![\w.,/-])\(\d{2}\)\s?\d{4,5}[ -]\d{4}(?!\d)"),  # Brazil
    _rule("phone", r"(?<![\w.,-])(?:1[ -]?)?[2-9]\d{2}[2-9]\d{6}(?!\w|[.,-]\d)"),  # America, run together
    _rule("phone", r"(?<![\w.,-])1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\w|[.,-]\d)"),  # China, mobile
    _rule("phone", r"(?<![\w.,-])[6-9]\d{4}[ -]\d{5}(?!\w|[.,-]\d)"),  # India, mobile
    _rule("phone", r"(?<![\w.,:/-])\(?0[1-9]\d{0,3}\)?(?:[\s./-]{0,2}\d{2,8}){1,4}(?!\w|[:,]\d)", check=_is_national),
    _as_written(
        "address",
        rf"""\b\d{{1,5}}[A-Za-z]?,?\s(?:[NSEW]\.?\s)?(?!Wheel)
        (?:(?:{_NAME}|\d+(?:st|nd|rd|th))\s){{1,3}}{_STREET}\b\.?""",
    ),
    _as_written("address", rf"\b\d{{1,4}}(?:\s?(?:bis|ter))?,?\s(?i:{_RUE})\s{_ARTICLES}{_NAME}(?:\s{_NAME})*"),
    _as_written("address", rf"\b(?i:{_RUE})\s{_ARTICLES}{_NAME}(?:\s{_NAME})*,?\s(?:n[°º.]?\s?)?\d{{1,4}}\b"),
    _as_written(
        "address", r"\b[A-ZÄÖÜ][\w-]{0,40}(?:straße|strasse|str\.|weg|allee|gasse|platz|ufer|damm)\s\d{1,4}\s?[a-z]?\b"
    ),
    _rule("address", r"\bP\.?\s?O\.?\s?Box\s\d{1,6}\b"),
    _as_written("address", r"\b[A-Z]{1,2}\d[A-Z\d]?\s\d[ABD-HJLNP-UW-Z]{2}\b"),  # UK postcode
    _as_written("address", r"(?<=,\s)[A-Z]{2}\s\d{5}(?:-\d{4})?\b"),  # US state and ZIP code
    _as_written(
        "plate",
        r"""\b(?i:licen[cs]e|number|registration)\s(?i:plate\s)?(?i:no\.?\s|number\s)?:?\s?
        (?=[A-Z -]*\d)(?=[\d -]*[A-Z])(?P<private>[A-Z0-9]{1,4}[ -]?[A-Z0-9]{2,5})\b""",
    ),
    _as_written("plate", r"\b[A-Z]{2}\d{2}\s?[A-Z]{3}\b", check=_is_plate),  # UK
    _as_written("plate", r"\b[A-Z]{2}[- ]\d{3}[- ][A-Z]{2}\b", check=_is_plate),  # France, Italy
    _as_written("plate", r"\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2}\s?\d{2,4}[EH]?\b", check=_is_plate),  # Germany
    _as_written("plate", r"\b(?:\d{2}-[A-Z]{2,3}-\d{1,2}|[A-Z]{2}-\d{2}-[A-Z]{2}|[A-Z]{1,2}-\d{3}-[A-Z]{1,2})\b"),
    _as_written("plate", r"\b\d[A-Z]{3}\d{3}\b", check=_is_plate),  # California
    _as_written("plate", r"\b\d{4}\s?[BCDFGHJKLMNPRSTVWXYZ]{3}\b", check=_is_plate),  # Spain
    _as_written("plate", r"\b[A-Z]{2}[ -]?\d{2}[ -]?[A-Z]{1,2}[ -]?\d{4}\b", check=_is_plate),  # India
    _rule("handle", r"(?<![\w@.])[@＠][a-z_][\w.]{1,29}\b"),
)
