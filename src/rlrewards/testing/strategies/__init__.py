"""Hypothesis strategies for what rewards and objectives are given."""
