"""Step caches: velocities that a sampler asks for and that are predicted instead of computed.

budgeted: ours, which keeps to a quality or a speed that was asked for and says what it reached; budget: how one asks.
gaps, plan, calibration: its parts. teacache, first_block, magcache, taylor: four published ones, for comparison and
for those who know their thresholds; gate: how three of them leave out a transformer's blocks without its knowing.
"""
