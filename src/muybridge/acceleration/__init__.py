"""What is applied to the networks from outside so that they fit and fly; without this room they still run.

settings: how a model is run. device: what the machine can do, measured. estimate, plan, explain: what a request takes,
the fastest way that fits, and why. modulation: adaptive-norm weights computed once for a run, then put away. quantise:
weights smaller than bfloat16. stream: blocks that wait on the host or the disk. compile: one graph for all sizes.
caches: steps that are predicted instead of computed, within a budget.

Applied in this order: adapters, quantise, modulation, stream, compile; a cache is put around the velocity of a request.
"""
