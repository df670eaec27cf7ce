"""Comparisons of two trees, one function for each kind of thing that a reference can be.

`dispatch.compare_nodes` is the entry: the type of the reference picks the comparison. Bare
expressions end in `values.compare_values`; everything that arranges expressions (lists, regions,
relations, units, families) is decided here, and only by proof.
"""

from rlrewards.verify.comparisons.dispatch import compare_nodes

__all__ = ["compare_nodes"]
