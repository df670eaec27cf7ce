"""What counts as the same answer: each convention a keyword with a default and a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Conventions:
    r"""The conventions under which two answers are compared; `Verifier` takes them as keywords.

    Args:
        rel_tol: Relative tolerance for numbers. 0, since data with exact answers needs none; an
            absolute one would make 2⁻⁹⁸ equal 2⁻⁹⁹, so there is none.
        significant: Significant digits to which numbers must agree; None for all of them.
        reference_digits: Significant digits from which a decimal reference counts as rounded, so
            that 3.14 accepts π; a reference of fewer digits (0.5) is meant exactly. None: never.
        answer_digits: Significant digits from which an answer may be the reference, rounded: 1.4142
            for √2. Fewer digits are too easy to guess. None: never.
        form: "numeral": a number is answered by one numeral, fraction, root, power, factorial or
            multiple of a constant, since `16-3-4` leaves the work undone. "any": by any expression.
        assignments: Whether `x=5` answers 5 and 5 answers `x=5`, as most data sets mean it.
        chains: Whether `1+4=5`, all of it true, answers 5: models show the last step.
        percent: Whether `p %` and p, p/100 are one answer: data sets store all three.
        units: "optional": 5 cm and 5 are one answer, since references often leave the unit to the
            question. "required": both sides have one or neither.
        ordered: Whether unbracketed lists must come in order; roots and cases have none.
        multiplicity: Whether 1,1,2 is another list than 1,2. Sets never repeat an item.
        solved_relations: Whether (1,2) and `1<x<2` are one answer.
        scaled_relations: Whether 2x+y=3 and 4x+2y=6 are one answer: an equation has no one form.
        integration_constants: Whether F+C, F+K and F+C+1 are one answer: C stands for any number.
        ignore_case: Whether words (Even, even) may differ in case; single letters never may.
        ratios: Whether 11:4 and 11/4 are one answer.
        optional_base: Whether 1101 answers 1101_2: the question often names the base.
        parameters: Whether kπ, k∈ℤ and nπ, n∈ℤ are one answer: the letter is bound.
        plus_minus: Whether ±5 and the list 5, -5 are one answer.
        log_base: What a bare `\log` means where the reference is a number: "10", as in schools,
            or "e", as in analysis.
        refuse_echoes: Whether an answer that only repeats a formula of the question is wrong,
            unless it is the reference letter by letter.
    """

    rel_tol: float = 0.0
    significant: int | None = None
    reference_digits: int | None = 3
    answer_digits: int | None = 4
    form: Literal["numeral", "any"] = "numeral"
    assignments: bool = True
    chains: bool = True
    percent: bool = True
    units: Literal["optional", "required"] = "optional"
    ordered: bool = False
    multiplicity: bool = True
    solved_relations: bool = True
    scaled_relations: bool = True
    integration_constants: bool = True
    ignore_case: bool = True
    ratios: bool = True
    optional_base: bool = True
    parameters: bool = True
    plus_minus: bool = True
    log_base: Literal["10", "e"] = "10"
    refuse_echoes: bool = True
