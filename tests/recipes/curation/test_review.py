"""What a reviewer fills in becomes a whole caption."""

import pytest

from muybridge.captioning.schema import FIELDS
from muybridge.core.errors import InvalidInput
from muybridge.recipes.curation.review import completed


def test_a_short_text_alone_is_a_caption():
    caption = completed({**dict.fromkeys(FIELDS, ""), "short": "A wall."})
    assert {"dense": "A wall.", "camera": "unknown", "source": "unknown", "style": ""}.items() <= caption.items()
    with pytest.raises(InvalidInput, match="short: is empty"):
        completed(dict.fromkeys(FIELDS, ""))
