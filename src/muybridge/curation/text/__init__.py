"""Text in the picture: found, read, cropped away where it was laid over the film, and private data redacted."""
