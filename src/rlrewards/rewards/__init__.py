"""Reward functions, one idea a file; the public ones are names of `rlrewards` itself."""
