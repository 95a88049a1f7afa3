"""Private data in strings replaced by its kind: [email], [phone] and so on.

For text read in pictures, captions and what files say of themselves. Dates, sizes, scores and prices stay. Names of
people are not looked for: that takes more than patterns.
"""

import re
from collections.abc import Iterable

from muybridge.curation.text.private_data import KINDS, RULES, Rule

_REDACTED = re.compile(r"\[(?:" + "|".join(KINDS) + r")\]")


def redact(text: str) -> tuple[str, int]:
    """The text with private data replaced by its kind in brackets, and how many places were. Twice is as once."""
    total = 0
    for rule in RULES:
        text, count = _replaced(text, rule)
        total += count
    return text, total


def num_redacted(texts: Iterable[str]) -> int:
    """How many places stand redacted in texts that went through `redact`."""
    return sum(len(_REDACTED.findall(text)) for text in texts)


def _replaced(text: str, rule: Rule) -> tuple[str, int]:
    part = "private" if "private" in rule.pattern.groupindex else 0  # words that only announce it stay
    found = [match.span(part) for match in rule.pattern.finditer(text) if rule.check(match[part])]
    for start, end in reversed(found):
        text = f"{text[:start]}[{rule.kind}]{text[end:]}"
    return text, len(found)
