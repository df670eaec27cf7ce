r"""Numeric comparison by ball arithmetic: a proof of difference, or agreement at enough points.

A ball (midpoint ± radius) is proved to contain the value of an expression. Two balls that do not
meet prove that two expressions differ, which floating point cannot; balls that agree at several
points to far more bits than the expressions hold are taken to be equal. Magnitudes are bounded
before anything is computed, and every comparison has a fixed amount of work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import flint
from flint import acb, arb, fmpq

from rlrewards.verify.canonical import canonical
from rlrewards.verify.decision import Decision, different, equal, undecided
from rlrewards.verify.enclose import NoValueError, Ball, enclose, size_bits
from rlrewards.verify.kinks import points_between_kinks
from rlrewards.verify.rationals import Values, rational
from rlrewards.verify.survey import Survey, survey
from rlrewards.verify.tree import Node, Rational
from rlrewards.verify.verdict import Tier
