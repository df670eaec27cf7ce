"""The table covers every kind of node, and no pair of trees raises, hangs or recurses away."""

import time
from itertools import product

import pytest
from compared import DIFFERENT, EQUAL, UNDECIDED, decided
from flint import fmpq

from rlrewards.verify import tree
from rlrewards.verify.comparisons import compare_nodes
from rlrewards.verify.conventions import Conventions
from rlrewards.verify.decision import Terms
from rlrewards.verify.symbolic import Budget
from rlrewards.verify.tree import Bracket, Number, PlusMinus, Set, Sum, Symbol, Words
from rlrewards.verify.units import UNITS
from rlrewards.verify.verdict import Status

ONE, TWO, X = Number(fmpq(1)), Number(fmpq(2)), Symbol("x")
TERMS = Terms(Budget(1.0))

NODES = [
    ONE,
    tree.PI,
    tree.INFINITY,
    X,
    tree.Based("11", 2),
    tree.Negative(X),
    PlusMinus(TWO),
    Sum((X, ONE)),
    tree.Product((TWO, X)),
    tree.Quotient(ONE, Number(fmpq(0))),
    tree.Power(X, TWO),
    tree.Root(X, TWO),
    tree.Call("sin", (X,)),
    tree.Apply("f", (X,)),
    tree.Standing("sum", X, X, ONE, TWO),
    tree.Percent(TWO),
    tree.Measure(TWO, UNITS["cm"]),
    tree.Measure(Sum((ONE, PlusMinus(TWO))), UNITS["cm"]),
    tree.Approximate(TWO),
    tree.Ratio((ONE, TWO)),
    tree.Listing((ONE, X)),
    tree.Listing((ONE, tree.Relation((X, ONE), ("<",))), frozenset({"or"})),
    Sum((tree.Named("reals"), tree.Negative(Set((ONE,))))),
    tree.Product((TWO, tree.Matrix(((ONE, X), (X, TWO))))),
    Sum((tree.Matrix(((ONE,), (X,))), tree.Product((X, Bracket("(", (ONE, TWO), ")"))))),
    tree.Power(Bracket("(", (ONE, TWO), ")"), Symbol("T")),
    Sum((Symbol("i"), tree.Product((TWO, Symbol("j"))))),
    tree.Listing((tree.Measure(TWO, UNITS["m"]), tree.Measure(TWO, UNITS["cm"]))),
    tree.Listing((tree.Power(X, TWO), tree.Relation((X, ONE), (">",)))),
    tree.Relation((tree.Call("abs", (Symbol("AB"),)), ONE), ("=",)),
    tree.Relation((tree.Standing("integral", X, X), Sum((X, Symbol("C")))), ("=",)),
    Bracket("(", (ONE, TWO), ")"),
    Bracket("]", (X, TWO), "["),
    Set(()),
    Set((ONE, X)),
    tree.Builder(X, None, (tree.Relation((X, ONE), ("<",)),)),
    tree.Builder(X, tree.Named("naturals"), ()),
    tree.Named("empty"),
    tree.Named("complexes"),
    tree.Union((Set((ONE,)), tree.Named("integers"))),
    tree.Intersection((Bracket("(", (ONE, X), ")"), Set((ONE,)))),
    tree.Without(tree.Named("reals"), Set((X, ONE))),
    tree.Relation((X, ONE), ("=",)),
    tree.Relation((X, ONE, TWO), ("<", "≥")),
    tree.Relation((X, ONE), ("≡",), TWO),
    tree.Relation((ONE,), (), TWO),
    tree.Relation((X, tree.Named("integers")), ("∈",)),
    tree.Relation((X, Bracket("(", (ONE, TWO), ")")), ("∉",)),
    tree.Relation((X, ONE), ("⊥",)),
    tree.Matrix(((ONE, X), (TWO, ONE))),
    tree.Matrix(()),
    tree.Piecewise(((X, tree.Relation((X, ONE), ("<",))), (ONE, None))),
    tree.Piecewise(((X, None),)),
    Words("even"),
    Words("five"),
]


def test_every_kind_of_node_is_here():
    kinds = {*tree.Expression.__subclasses__(), *tree.Node.__subclasses__()} - {tree.Expression}
    # A dataclass with slots is a second class of the same name.
    names = {kind.__name__ for kind in kinds} - {"Expression"}
    assert names == {type(node).__name__ for node in NODES}


@pytest.mark.parametrize("gold", NODES, ids=range(len(NODES)))
def test_all_pairs_are_decided_and_only_the_same_is_equal_to_itself(gold):
    assert compare_nodes(gold, gold, TERMS).is_equal
    for ours in NODES:
        assert compare_nodes(ours, gold, TERMS).status in set(Status)
        assert compare_nodes(Set((ours,)), Set((gold,)), TERMS).status in set(Status)


def test_what_is_equal_among_all_pairs():
    equal = {
        f"{type(gold).__name__} {type(ours).__name__}"
        for (index, gold), (other, ours) in product(enumerate(NODES), enumerate(NODES))
        if index < other and compare_nodes(ours, gold, TERMS).is_equal
    }
    assert equal == {
        "Number Relation",  # 1 and x = 1, 1 and |AB| = 1
        "Power Listing",  # x² and x², x > 1
        "Power Bracket",  # (1, 2)ᵀ and (1, 2)
        "Power Sum",  # (1, 2)ᵀ and i + 2j
        "Sum Bracket",  # i + 2j and (1, 2)
        "Percent Approximate",  # 2 % and ≈ 2
        "Measure Approximate",  # 2 cm and ≈ 2
        "Listing Set",
        "Set Named",  # {} and ∅
        "Relation Relation",  # x ≡ 1 (mod 2) and 1 (mod 2)
    }


def test_what_is_nested_too_deeply_is_undecided():
    ours, gold = ONE, TWO
    for _ in range(40):
        ours, gold = Bracket("(", (ours, ONE), ")"), Bracket("(", (gold, ONE), ")")
    assert compare_nodes(ours, gold, TERMS).status is UNDECIDED


@pytest.mark.parametrize("count", [3, 12, 60])
def test_many_signs_take_no_time(count):
    many = Sum(tuple(PlusMinus(Number(fmpq(index))) for index in range(1, count)))
    start = time.monotonic()
    compare_nodes(many, tree.Listing((many, many)), TERMS)
    compare_nodes(Set((many,) * 60), Set((many, ONE)), TERMS)
    assert time.monotonic() - start < 2


class TestWords:
    def compared(self, gold, ours, **conventions):
        terms = Terms(Budget(1.0), Conventions(**conventions))
        return compare_nodes(ours, gold, terms).status

    def test_case(self):
        assert self.compared(Words("even"), Words("Even")) is EQUAL
        assert self.compared(Words("even"), Words("Even"), ignore_case=False) is DIFFERENT
        assert self.compared(Words("a"), Words("A")) is DIFFERENT
        assert self.compared(Symbol("a"), Words("A")) is DIFFERENT

    def test_vocabulary(self):
        assert self.compared(Words("even"), Words("odd")) is DIFFERENT
        assert self.compared(Words("a dog"), Words("a cat")) is UNDECIDED

    def test_numbers(self):
        assert self.compared(Words("five"), Number(fmpq(5))) is EQUAL
        assert self.compared(Number(fmpq(5)), Words("five")) is EQUAL
        assert self.compared(Number(fmpq(5)), Words("a dog")) is Status.NO_ANSWER


def test_names():
    assert decided("BAC", "CAB").status is DIFFERENT
    assert decided("a", "A").status is DIFFERENT
    assert decided("x_1", "x_{1}").status is EQUAL
