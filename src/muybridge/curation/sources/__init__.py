"""Where footage comes from: folders, globs, manifests, buckets, lists of addresses."""
