"""From a request to a finished film: components, denoising, decoding, result."""
