"""Check digits of numbers that belong to people: what tells a card or an account from any other digits."""

WEIGHTS_CHINA = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
LETTERS_SPAIN = "TRWAGMYFPDXBNJZSQVHLCKE"
_VERHOEFF_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def digits_of(text: str) -> list[int]:
    """Its digits, in any script."""
    return [int(character) for character in text if character.isdecimal()]


def is_luhn(text: str) -> bool:
    """Cards and some national numbers: every second digit from the right doubled, the sum of digits ends in 0."""
    doubled = [sum(divmod(2 * digit, 10)) if place % 2 else digit for place, digit in enumerate(digits_of(text)[::-1])]
    return bool(doubled) and sum(doubled) % 10 == 0


def is_iban(text: str) -> bool:
    """ISO 13616: the first four characters at the end, letters as 10..35, 1 modulo 97."""
    plain = "".join(character for character in text.upper() if character.isalnum())
    if not 15 <= len(plain) <= 34 or not plain.isascii():
        return False
    return int("".join(str(int(character, 36)) for character in plain[4:] + plain[:4])) % 97 == 1


def is_cpf(text: str) -> bool:
    """Brazil: two check digits, each of the digits before it modulo 11."""
    digits = digits_of(text)
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for length in (9, 10):
        total = sum(digit * (length + 1 - place) for place, digit in enumerate(digits[:length]))
        if total * 10 % 11 % 10 != digits[length]:
            return False
    return True


def is_china_id(text: str) -> bool:
    """China: seventeen digits and a check character modulo 11, X for ten."""
    digits = digits_of(text[:17])
    return len(digits) == 17 and "10X98765432"[_weighted(digits) % 11] == text[17].upper()


def is_dni(text: str) -> bool:
    """Spain: eight digits and a letter modulo 23; X, Y, Z stand for 0, 1, 2 in front of foreigners' numbers."""
    plain = "".join(character for character in text.upper() if character.isalnum())
    number = str("XYZ".find(plain[0])) + plain[1:-1] if plain[0] in "XYZ" else plain[:-1]
    return number.isdecimal() and LETTERS_SPAIN[int(number) % 23] == plain[-1]


def is_verhoeff(text: str) -> bool:
    """India's Aadhaar: the Verhoeff check over the dihedral group of ten."""
    check = 0
    for place, digit in enumerate(reversed(digits_of(text))):
        for _ in range(place % 8):
            digit = _VERHOEFF_PERMUTATION[digit]
        check = _dihedral(check, digit)
    return check == 0


def _weighted(digits: list[int]) -> int:
    return sum(weight * digit for weight, digit in zip(WEIGHTS_CHINA, digits, strict=True))


def _dihedral(first: int, second: int) -> int:
    """The product in the symmetries of a pentagon: 0..4 its rotations, 5..9 its reflections."""
    if first < 5:
        return (first + second) % 5 if second < 5 else (first + second) % 5 + 5
    return (first - second) % 5 + 5 if second < 5 else (first - second) % 5
