"""The law that a completion is text: whatever it holds, nothing of it is run.

It is tried with harmless payloads, only in a process of its own and an empty folder: each would
make a file or folder there if it were run as Python, by a shell, a template or a loader.
"""

from __future__ import annotations

import base64
import contextlib
import multiprocessing
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

from rlrewards.core import Sample
from rlrewards.testing.envelopes import best_envelope
from rlrewards.testing.law import NotApplicable, ensure, law
from rlrewards.testing.problems import Problem
from rlrewards.testing.subject import Broken, Subject

PROOF = "proof77"  # what a payload makes
SECONDS = 12.0
# What parsers do with an answer depends on the reference beside it.
REFERENCES = ("42", "\\frac{1}{2}", "2\\pi", "x + 1", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}")


class _Pickled:
    def __reduce__(self) -> Any:
        return os.mkdir, (PROOF,)


def payloads() -> tuple[str, ...]:
    """Return what would run: the plainest first."""
    call = f'open("{PROOF}","w")'
    return (
        call,
        f"{call}+\\pi",
        f"[{call}]",
        f"({call}, 1)",
        f"1 if {call} else 0",
        f'__import__("os").mkdir("{PROOF}")',
        f"exec('{call}')",
        f"```python\n{call}\n```",
        f"$(touch {PROOF})",
        f"`touch {PROOF}`",
        f"42; touch {PROOF}",
        f"\\immediate\\write18{{touch {PROOF}}}",
        f"{{{{cycler.__init__.__globals__.os.mkdir('{PROOF}')}}}}",
        f"{{{call}}}",
        f'!!python/object/apply:os.mkdir ["{PROOF}"]',
        base64.b64encode(pickle.dumps(_Pickled())).decode(),
    )


@law(
    "A completion is never executed: nothing in it is compiled or run, as Python, by a shell, a "
    "template or a loader.",
    name="a completion is never executed",
)
def _never_executed(subject: Subject) -> None:
    if multiprocessing.parent_process() is None:
        raise NotApplicable("tried only in a process that can be killed")
    form = best_envelope(subject)
    plain = Problem("What is it?", "42", ("41",))
    subject([plain.sample(form.wrap("42"))])  # what is loaded at first use is loaded now
    ends = time.monotonic() + SECONDS
    with _empty_folder() as folder:
        for payload in payloads():
            for reference in REFERENCES:
                problem = Problem("What is it?", reference, ("41",))
                for text in dict.fromkeys((payload, form.wrap(payload), f"\\boxed{{{payload}}}")):
                    _try(subject, problem.sample(text), folder)
                    if time.monotonic() > ends:
                        return


def _try(subject: Subject, sample: Sample, folder: Path) -> None:
    scores: Sequence[float | None] = ()
    with _events() as seen, contextlib.suppress(Broken):  # raising is another law's matter
        scores = subject([sample])
    ensure(
        not (folder / PROOF).exists(),
        f"ran a part of the completion: it made {PROOF}",
        [sample],
        scores,
    )
    ensure(not seen, f"{', '.join(sorted(set(seen)))} of a part of the completion", [sample],
           scores)  # fmt: skip


@contextlib.contextmanager
def _empty_folder() -> Iterator[Path]:
    """Work in a new folder, for the time being."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            yield Path(name)
        finally:
            os.chdir(before)


# ---------------------------------------------------------------------------------------------
# Events of the interpreter that name the payload

_WATCHED = frozenset({"compile", "exec", "open", "os.system", "os.exec", "os.posix_spawn",
                      "os.mkdir", "subprocess.Popen", "pickle.find_class"})  # fmt: skip
_listeners: list[list[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _listeners and event in _WATCHED and any(map(_names_the_proof, arguments)):
        _listeners[-1].append(event)


def _names_the_proof(value: Any) -> bool:
    if isinstance(value, bytes | bytearray):
        return PROOF.encode() in value
    if isinstance(value, CodeType):
        return any(map(_names_the_proof, (*value.co_consts, *value.co_names)))
    if isinstance(value, tuple | list):
        return any(map(_names_the_proof, value))
    return isinstance(value, str) and PROOF in value


_hooked = False


@contextlib.contextmanager
def _events() -> Iterator[list[str]]:
    """Yield the names of the events in which the payload appears; a hook stays once added."""
    global _hooked
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked = True
    seen: list[str] = []
    _listeners.append(seen)
    try:
        yield seen
    finally:
        _listeners.pop()


LAWS = (_never_executed,)
