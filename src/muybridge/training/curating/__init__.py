"""Training of the small networks that curation and captioning measure with."""
