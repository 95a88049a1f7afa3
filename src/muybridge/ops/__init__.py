"""The mathematics that networks share: attention, rotary positions, norms, modulation, patches, causal convolution."""
