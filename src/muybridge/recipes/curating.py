"""How the small networks are made that curation and captioning measure with: `muybridge train NAME`."""
