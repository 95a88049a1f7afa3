"""Private data is found however it is written, and what only looks like it stays."""

import pytest

from muybridge.curation.text.redaction import num_redacted, redact

MIN_RECALL = 0.98  # of what the module promises to find
PLANTED = {
    "email": (
        "jane.doe@example.com", "j_doe+films@mail.example.co.uk", "INFO@STUDIO-NORTH.DE", "a.b-c@x1.io",
        "jane.doe @ example.com", "mueller@büro.example.org", "write to (max@museum.paris)",
        "jane [at] example [dot] com",
        "jane.doe (at) example.org", "jane at example dot com", "mailto:jo@ex.ch", "Kontakt:jo.k@ex-ample.eu.",
    ),
    "url": (
        "https://jane:secret@files.example.com/a", "ftp://bob@10.0.0.3/films", "instagram.com/jane.doe_82",
        "https://www.facebook.com/jane.doe.7", "twitter.com/janedoe", "https://x.com/janedoe", "tiktok.com/@jane.d",
        "www.linkedin.com/in/jane-doe-1a2b3", "github.com/janedoe", "t.me/janedoe", "https://youtube.com/@janefilms",
        "reddit.com/u/janedoe",
    ),
    "ip": (
        "192.168.0.14", "8.8.8.8", "server at 203.0.113.77", "2001:db8:85a3::8a2e:370:7334",
        "fe80::1ff:fe23:4567:890a", "00:1A:2B:3C:4D:5E",
    ),
    "iban": (
        "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "FR14 2004 1010 0505 0001 3M02 606",
        "NL91ABNA0417164300", "ES91 2100 0418 4502 0005 1332", "CH93 0076 2011 6238 5295 7", "NO93 8601 1117 947",
        "PL61109010140000071219812874",
    ),
    "card": (
        "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117", "3530 1113 3330 0000",
        "4012888888881881", "5105 1051 0510 5100", "2223003122003222",
    ),
    "id": (
        "123-45-6789", "078 05 1121", "SSN: 219099999", "AB 12 34 56 C", "JC123456C", "RSSMRA85T10A562S", "12345678Z",
        "X1234567L", "11010519491231002X", "529.982.247-25", "2 55 08 14 168 025 38", "811228-9874",
        "Passport No. K1234567", "passport number: 963545637", "driver's license D1234567", "2341 2341 2346",
    ),
    "birth date": (
        "DOB: 12/03/1980", "date of birth 3 March 1980", "geb. am 12.03.1980", "Birthdate: 1980-03-12",
    ),
    "phone": (
        "+49 30 1234567", "+1 (555) 123-4567", "+44 20 7946 0958", "+33 6 12 34 56 78", "+86 138 0013 8000",
        "+91-98765-43210", "+55 11 91234-5678", "+81 3-1234-5678", "+7 (495) 123-45-67", "+4915112345678",
        "0044 20 7946 0958", "001-555-123-4567", "(555) 123-4567", "555-123-4567", "555.123.4567", "1-800-555-0199",
        "4155234567", "020 7946 0958", "07700 900123", "030/1234567", "0171 1234567", "01 23 45 67 89", "06-12345678",
        "(030) 123 45 67", "138 1234 5678", "13812345678", "98765 43210", "(11) 91234-5678", "090-1234-5678",
        "0412 345 678", "Tel. 12 34 56", "call 555-0199", "WhatsApp: 612 345 678", "phone 22 33 44 55", "Fax: 123456",
    ),
    "address": (
        "221B Baker Street", "10 Downing St", "1600 Pennsylvania Avenue", "350 N. Fifth Ave.", "42 Old Mill Road",
        "7 Elm Ct", "12 rue de la Paix", "5, avenue des Champs", "Calle Mayor 12", "Via Roma 10", "Hauptstraße 12",
        "Lindenweg 7a", "Goethestr. 5", "P.O. Box 1234", "London SW1A 2AA", "Springfield, IL 62704",
        "100 West 42nd Street", "3 bis rue Victor Hugo",
    ),
    "plate": (
        "AB12 CDE", "LK08XYZ", "AB-123-CD", "B-AB 1234", "M-X 999", "12-ABC-3", "7ABC123", "1234 BCD",
        "MH 12 AB 1234", "XX-99-YY", "license plate 8XYZ21", "Registration: KA19 TRX",
    ),
    "handle": (
        "@jane_doe", "follow @JaneFilms!", "by @jd.82", "＠janedoe",
    ),
}  # fmt: skip
INNOCENT = (
    "12 May 2021", "2023-10-12", "10/12/2023", "01.02.2023 10:30", "2023-10-12 10:30:59", "1914-1918", "00:12:34.500",
    "12:30 pm", "3-2", "21:19, 19:21", "6-4 7-5 6-3", "1920x1080", "3840 x 2160 px", "1080p60", "24 fps", "4K HDR",
    "1080 HDR", "$1,299.00", "€ 1.299,00", "12 000 000 people", "1,000,000,000", "1 000 000", "3.14159265358979",
    "0.123456789", "99.9 %", "-40 to 120 degrees", "version 1.2.3.4", "v 10.0.19041", "ISO 9001", "IEC 60601-1",
    "Boeing 747-400", "F-16", "COVID-19", "MP4", "H.264", "A4", "GTX 1080", "RTX-4090", "BMW M3", "USB-C 30",
    "CD-R 700", "Apollo 11", "Windows 11", "Route 66", "Room 101", "Chapter 12", "Page 3 of 12", "Beethoven's 9th",
    "24 Hours of Le Mans", "the year 2001", "since 1999", "1999-2004", "4 Wheel Drive", "50 m away", "5th Avenue",
    "42nd Street", "Wall Street", "Abbey Road", "https://example.com/films/12", "www.example.org",
    "youtube.com/watch?v=ab", "meet @ 5 pm", "at the dot in the middle", "look at me", "seen at example.com",
    "100 - 200", "10-20-30",
    "1/2 cup", "2 x 4", "+5 degrees", "+100 points", "No. 12345", "12345", "1234567", "ABC", "STOP", "OPEN 24 HOURS",
    "SALE 50%", "1 2 3 4 5", "10 9 8 7 6", "f/2.8 1/250", "ISO 400", "35 mm", "Lap 12/56", "P1 1:23.456", "T-1000",
    "R2-D2", "C-3PO", "B-52", "Mi-24", "Ju 52", "8:00 - 17:30", "Mo-Fr 9-18", "2 + 2 = 4", "x = 10.5", "100 kg",
    "7.62 mm", "48.8584, 2.2945", "N 48 51", "EUR 25", "EN 55032", "a red ball bounces on a wooden floor",
    "Two dogs run over 3 hills in 10 seconds.", "", "é", "Ångström",
)  # fmt: skip


def test_recall_of_planted_private_data() -> None:
    missed = [given for found in PLANTED.values() for given in found if redact(f"Look: {given} here")[1] == 0]
    num_planted = sum(len(found) for found in PLANTED.values())
    assert num_planted >= 100
    assert len(missed) <= (1 - MIN_RECALL) * num_planted, missed


@pytest.mark.parametrize("kind", sorted(PLANTED))
def test_every_kind_is_called_by_its_name(kind: str) -> None:
    named = [f"[{kind}]" in redact(f"Look: {given} here")[0] for given in PLANTED[kind]]
    assert sum(named) >= 0.75 * len(named), [given for given, ok in zip(PLANTED[kind], named, strict=True) if not ok]


def test_innocent_strings_stay_as_they_are() -> None:
    changed = {given: redact(given)[0] for given in INNOCENT if redact(given) != (given, 0)}
    assert not changed


def test_nothing_private_is_left_of_a_whole_sentence() -> None:
    given = "Tel. +49 30 1234567 or mail jane@example.com, 12 May 2021, card 4111 1111 1111 1111."
    assert redact(given) == ("Tel. [phone] or mail [email], 12 May 2021, card [card].", 3)


def test_redacting_twice_is_as_once() -> None:
    for given in (each for found in PLANTED.values() for each in found):
        text, _ = redact(given)
        assert redact(text) == (text, 0)


def test_redacted_places_can_be_counted_afterwards() -> None:
    texts = [redact(given)[0] for given in ("a@b.com and c@d.org", "no one", "192.168.0.1")]
    assert num_redacted(texts) == 3


def test_hostile_strings_take_no_time() -> None:
    for given in ("1 " * 3000, "a." * 3000 + "@", "0" * 6000, "A1 " * 2000, ":" * 6000, "(at) " * 1000, "- " * 3000):
        redact(given)
