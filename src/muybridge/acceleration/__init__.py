"""What is applied to the networks from outside so that they fit and fly; without this room they still run.

settings: how a model is run. device, machine, measure, memory: what the machine can do and has free. facts, footprint,
duration, estimate, plan, explain: what a request takes, the fastest way that fits, and why. modulation, pages: weights
of the adaptive norms, computed with once for a run, then put away. quantise: weights smaller than bfloat16. stream,
slots, lanes: blocks that wait on the host or the disk; network: what these ask of a model. attention: another kernel or
pattern for the blocks. projections: three linear layers as one. compile: one graph for all sizes. caches: steps that
are predicted instead of computed, within a budget.

Applied in this order: adapters, quantise, modulation, stream, attention, compile; a cache is put around the velocity of
a request.
"""
