"""The page of the review tool: one file, put together from its parts; nothing in it is fetched from elsewhere."""

from pathlib import Path

_PARTS = {"style": "page.css", "script": "page.js"}


def page_of(nonce: str) -> str:
    """The page; only scripts with this nonce run in it."""
    home = Path(__file__).parent
    page = (home / "page.html").read_text(encoding="utf-8").replace("{{nonce}}", nonce)
    for name, file in _PARTS.items():
        page = page.replace(f"{{{{{name}}}}}", (home / file).read_text(encoding="utf-8"))
    return page
