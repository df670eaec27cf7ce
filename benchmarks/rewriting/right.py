r"""Rewritings that keep the meaning: what another model would have written for the same answer.

Each family takes a `Reading` and a seeded random source and returns candidate answers, none where
it does not apply.
"""

from __future__ import annotations

from rewriting import marks, numerals, order, typesetting
from rewriting.common import RIGHT as FAMILIES

__all__ = ["FAMILIES", "marks", "numerals", "order", "typesetting"]
