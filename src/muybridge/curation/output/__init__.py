"""What curation leaves for training: a manifest of every clip, and shards of those that were kept."""
