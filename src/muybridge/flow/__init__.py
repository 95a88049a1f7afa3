"""Flow matching: the path between data and noise, noise levels, samplers, guidance, loss."""
