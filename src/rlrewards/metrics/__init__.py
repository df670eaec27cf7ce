"""Numbers that describe an evaluation, with their uncertainty.

Come here for an accuracy that says how far it may be off (18 of 20 right is not "0.90", it is 0.90
with a 95 % interval of 0.70 to 0.97), for pass@k and maj@k, and to ask whether one model is better
than another or only luckier.

Nothing here needs SciPy, and NumPy is loaded when a function that needs it is called. No function
touches a global random generator: what is random takes `rng=`, a seed or a NumPy generator.
"""

from __future__ import annotations

from rlrewards.metrics.bootstrap import bca_interval as bca_interval
from rlrewards.metrics.bootstrap import percentile_interval as percentile_interval
from rlrewards.metrics.estimates import Estimate as Estimate
from rlrewards.metrics.estimates import accuracy as accuracy
from rlrewards.metrics.estimates import mean_length as mean_length
from rlrewards.metrics.intervals import Interval as Interval
from rlrewards.metrics.intervals import wilson_interval as wilson_interval
from rlrewards.metrics.majority import maj_at_k as maj_at_k
from rlrewards.metrics.majority import mean_maj_at_k as mean_maj_at_k
from rlrewards.metrics.paired import McNemar as McNemar
from rlrewards.metrics.paired import PairedDifference as PairedDifference
from rlrewards.metrics.paired import mcnemar as mcnemar
from rlrewards.metrics.paired import mcnemar_counts as mcnemar_counts
from rlrewards.metrics.paired import paired_difference as paired_difference
from rlrewards.metrics.pass_k import mean_pass_at_k as mean_pass_at_k
from rlrewards.metrics.pass_k import pass_at_k as pass_at_k
from rlrewards.metrics.proportions import TwoProportions as TwoProportions
from rlrewards.metrics.proportions import two_proportions as two_proportions
from rlrewards.metrics.questions import by_question as by_question
from rlrewards.metrics.questions import powers_of_two as powers_of_two

__all__ = [
    "Estimate",
    "Interval",
    "McNemar",
    "PairedDifference",
    "TwoProportions",
    "accuracy",
    "bca_interval",
    "by_question",
    "maj_at_k",
    "mcnemar",
    "mcnemar_counts",
    "mean_length",
    "mean_maj_at_k",
    "mean_pass_at_k",
    "paired_difference",
    "pass_at_k",
    "percentile_interval",
    "powers_of_two",
    "two_proportions",
    "wilson_interval",
]
