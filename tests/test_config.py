"""Stacks as TOML, both ways, and what every mistake in one is told."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

import rlrewards as rr
from rlrewards import config
from rlrewards.stack import Composable

STACKS = [
    0.8 * rr.Accuracy() + 0.2 * rr.ThinkAnswerFormat(),
    rr.Stack({"a": (1.0, rr.Accuracy(wrong=-1.0, undecided=0.5))}, missing="renormalize"),
    rr.CosineLength(max_length=100, exceed=None, correct=(3.0, 1.0)).named("cosine"),
    rr.Accuracy(verifier=rr.Verifier(lenient=True, reasoning_tags=("[R]", "[/R]"))).named("a"),
    rr.ChoiceAccuracy(letters="ABC").named("choice"),
    rr.Stack({"style": (0.5, rr.ThinkFormat() + rr.RepetitionPenalty(n=4))}),
    rr.Stack({"gated": (0.5, rr.RepetitionPenalty().when(rr.ThinkFormat()))}),
    rr.LinearSchedule(start=1.0, end=0.0, steps=10) * rr.Accuracy(),
    rr.Stack({"a": (rr.StepSchedule(values=(0.0, 1.0), boundaries=(5,)), rr.Accuracy())}),
    rr.TagCount(tags=("<a>", "</a>")).named("tags"),
    rr.SoftOverlong(max_length=100, buffer=20, length="words").named("overlong"),
    0.5 * (rr.CosineSchedule(start=1.0, end=0.0, steps=10) * rr.Accuracy()),
    0.5 * rr.Stack({"a": (rr.StepSchedule(values=[0, 1], boundaries=[5]), rr.Accuracy())}),
    rr.Stack({"outer": rr.Stack({"inner": rr.Accuracy().when(rr.ThinkFormat() + rr.TagCount())})}),
    rr.Stack({}),
]


@pytest.mark.parametrize("stack", STACKS, ids=repr)
def test_a_stack_survives_the_round_trip(stack):
    text = stack.to_toml()
    copy = rr.Stack.from_toml_text(text)
    assert copy == stack
    assert copy.fingerprint() == stack.fingerprint()


def test_files_are_written_and_read(tmp_path):
    path = tmp_path / "stack.toml"
    text = STACKS[0].to_toml(path)
    assert path.read_text() == text
    assert rr.Stack.from_toml(path) == STACKS[0]


def test_only_what_differs_from_the_defaults_is_written():
    assert rr.Accuracy(wrong=-1.0).named("a").to_toml() == (
        'missing = "abstain"\n\n[rewards.a]\nweight = 1.0\ntype = "Accuracy"\nwrong = -1.0\n'
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[rewards.a]\ntype = "Acuracy"', r"unknown reward 'Acuracy'; did you mean 'Accuracy'"),
        (
            '[rewards.a]\ntype = "zzzzzz"',
            r"\[rewards.a\]: unknown reward 'zzzzzz'; known: Accuracy",
        ),
        ("[rewards.a]\nweight = 1.0", r"\[rewards.a\] has no type"),
        ("[rewards.a]\ntype = 3", "type must be a string"),
        ('[rewards.a]\ntype = "Accuracy"\nweight = nan', "weight of 'a' is nan"),
        ('[rewards.a]\ntype = "Accuracy"\nweight = "1"', "weight of 'a' is '1'"),
        ('[rewards.a]\ntype = "Accuracy"\nwrnog = 1', "unknown key 'wrnog'; did you mean 'wrong'"),
        ('[reward.a]\ntype = "Accuracy"', "unknown key 'reward'; did you mean 'rewards'"),
        ('missing = "never"', "allowed: abstain"),
        ("rewards = 3", "must be a table"),
        ("[rewards]\na = 3", r"\[rewards.a\] must be a table"),
        ("not toml", "not valid TOML"),
        ('[rewards.a]\ntype = "Accuracy"\nwieght = 1', "'wieght'; did you mean 'weight'"),
        ('[rewards.a]\ntype = "LinearSchedule"', "unknown reward 'LinearSchedule'"),
        ('[rewards.a]\ntype = "Verifier"', "unknown reward 'Verifier'"),
        (
            '[rewards.a]\ntype = "Accuracy"\nweight = {type = "Accuracy"}',
            "unknown schedule 'Accuracy'",
        ),
        (
            '[rewards.a]\ntype = "Accuracy"\nweight = {start = 1}',
            r"\[rewards.a.weight\] has no type",
        ),
        (
            '[rewards.a]\ntype = "Accuracy"\ncorrect = "x"',
            "correct must be a finite number, got 'x'",
        ),
        ('[rewards.a]\ntype = "Accuracy"\nverifier = "none"', "verifier must have a method"),
        (
            '[rewards.a]\ntype = "Accuracy"\nverifier = {type = "ThinkFormat"}',
            "verifier must have a method",
        ),
        ('[rewards.a]\ntype = "ChoiceAccuracy"\nletters = 3', "letters must be a str, got 3"),
        (
            '[rewards.a]\ntype = "Accuracy"\nverifier = {lenient = "no"}',
            "lenient must be True or False",
        ),
        (
            '[rewards.a]\ntype = "Stack"\n[rewards.a.rewards.b]\ntype = "X"',
            r"\[rewards.a.rewards.b\]: unknown",
        ),
        ('[rewards.a]\ntype = "Accuracy"\nwhen = 3', r"\[rewards.a.when\] must be a table"),
        (
            '[rewards.a]\ntype = "SoftOverlong"\nmax_length = 10\nbuffer = 20',
            r"\[rewards.a\]: .*buffer.*20",
        ),
        ('[rewards.a]\ntype = "SoftOverlong"', r"\[rewards.a\]: .*max_length"),
        (
            '[rewards.a]\ntype = "Accuracy"\nverifier = {lenien = true}',
            "unknown key 'lenien'; did you mean 'lenient'",
        ),
    ],
)
def test_a_mistake_is_named(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        rr.Stack.from_toml_text(text)
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="bad.toml: "):
        rr.Stack.from_toml(path)


def test_a_byte_order_mark_does_not_matter(tmp_path):
    path = tmp_path / "stack.toml"
    path.write_text(STACKS[0].to_toml(), encoding="utf-8-sig")
    assert rr.Stack.from_toml(path) == STACKS[0]


def test_a_binary_file_is_no_stack(tmp_path):
    path = tmp_path / "stack.toml"
    path.write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ValueError, match="not a text file"):
        rr.Stack.from_toml(path)
    with pytest.raises(FileNotFoundError):
        rr.Stack.from_toml(tmp_path / "none.toml")


def test_functions_cannot_be_written():
    for reward in (rr.each(lambda sample: 1.0, name="f"), rr.reward(lambda batch: [1.0], name="f")):
        with pytest.raises(ValueError, match="'f' is .* entry-point group"):
            reward.named("f").to_toml()
    with pytest.raises(ValueError, match=r"'cosine.length' holds"):
        rr.CosineLength(max_length=99, length=len).named("cosine").to_toml()
    with pytest.raises(ValueError, match="holds"):
        ((lambda step: 1.0) * rr.Accuracy()).to_toml()


@dataclass(frozen=True, repr=False, kw_only=True)
class Shouting(Composable):
    """A reward of another package."""

    mark: str = "!"

    def __call__(self, batch, /):
        return [float(sample.completion.count(self.mark)) for sample in batch]


def silence(batch):
    return [0.0] * len(batch)


def test_other_packages_add_rewards_by_name(monkeypatch):
    group = config.ENTRY_POINT_GROUP
    added = {
        name: EntryPoint(name, f"{__name__}:{name}", group) for name in ("Shouting", "silence")
    }
    monkeypatch.setattr(config, "_entry_points", lambda: added)
    stack = rr.Stack.from_toml_text(
        '[rewards.loud]\ntype = "Shouting"\nmark = "?"\n[rewards.quiet]\ntype = "silence"'
    )
    assert stack([rr.Sample("what??")]) == [2.0]
    assert rr.Stack.from_toml_text(Shouting(mark="x").named("a").to_toml()) == Shouting(
        mark="x"
    ).named("a")


def test_the_installed_entry_points_are_asked():
    assert isinstance(config._entry_points(), dict)
