"""Fused kernels beside their eager oracles: Triton on a GPU, plain torch on the CPU."""
