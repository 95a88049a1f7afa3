"""A VAE run in chunks of frames, exactly: what `vae.modes` is made of.

A film travels as an iterator of chunks (chunks), each layer of the network is a function from chunks to chunks that
carries the few frames it looks back on (layers, kernels), and a network is their list (network). Layers chained
without a stop stream. A norm over the whole clip needs its statistics first (moments): there the run stops, keeps what
came so far (places), and goes on (run).
"""
