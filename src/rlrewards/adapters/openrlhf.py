"""OpenRLHF: a stack as `reward_func`, as a reward server, or as an agent.

Read from OpenRLHF 0.11.2. Its rollout workers score each completion as soon as it is there, in one
of three ways:

- `--reward.remote_url my_reward.py`: the file's `reward_func(queries, prompts, labels)` is called
  in a thread and returns a dict of "rewards", "scores" and "extra_logs";
- `--reward.remote_url http://host:port/get_reward`: the same as JSON, request
  `{"query": [...], "prompts": [...], "labels": [...]}`, response with lists in place of tensors;
- `--train.agent_func_path my_agent.py`: the file's `AgentExecutor` plays the completion.

A query is the prompt and the completion as one text, special tokens included. A reward of None,
and an exception, which the worker swallows, leave the completion without a reward and end the
training; NaN becomes the advantage of its group, or of the batch. So `no_opinion` is required.

    python -m rlrewards.adapters.openrlhf stack.toml --no-opinion 0 --eos-token "<|im_end|>"
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from rlrewards.adapters.scorer import Asked, Graded, Scorer, require_free_names, require_number
from rlrewards.adapters.scorer import scorer as checked_scorer
from rlrewards.adapters.sinks import JsonlSink, Sink
from rlrewards.core import Reward
from rlrewards.stack import Stack

__all__ = ["RewardFunction", "agent_executor", "reward_function", "server"]

# What OpenRLHF logs itself of each completion.
RESERVED = {
    *("reward", "score", "return", "kl", "response_clip_ratio", "group_reward_std"),
    *("response_length", "total_length", "truncated", "policy_loss", "entropy_loss", "ppo_kl"),
    *("ppo_clip_ratio", "vllm_kl", "is_filter_ratio", "logprobs_diff"),
}
TRUNCATED = "truncated"


@dataclass(frozen=True)
class RewardFunction:
    """A stack in the signature of OpenRLHF's `reward_func`; made by `reward_function`."""

    scorer: Scorer
    eos_tokens: tuple[str, ...] = ()
    metric_prefix: str = ""

    def __call__(
        self,
        queries: Sequence[str],
        prompts: Sequence[str],
        labels: Sequence[Any],
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Return "rewards" and "scores", `[B]` each, and the raw parts as "extra_logs".

        Args:
            queries: Prompt and completion of each, as one text.
            prompts: The prompts.
            labels: The references; an object holds several columns of the data set.
            **kwargs: What other versions pass; not used.
        """
        import torch

        plain = self.plain(queries, prompts, labels)
        rewards = torch.tensor(plain["rewards"])
        logs = {name: torch.tensor(values) for name, values in plain["extra_logs"].items()}
        return {"rewards": rewards, "scores": rewards, "extra_logs": logs}

    def plain(
        self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any]
    ) -> dict[str, Any]:
        """Return the same as lists, as the server answers."""
        rows = zip(queries, prompts, labels, strict=True)
        asked = [self.asked(completion_of(q, p), p, label) for q, p, label in rows]
        graded = self.scorer.grade(asked)
        rewards = [one.reward for one in graded]
        logs = [self.logs(one) for one in graded]
        columns = {name: [row[name] for row in logs] for name in (logs[0] if logs else ())}
        return {"rewards": rewards, "scores": rewards, "extra_logs": columns}

    def asked(self, completion: str, prompt: str, label: Any) -> Asked:
        """Return a completion without its end token, and what is known of it."""
        columns = dict(label) if isinstance(label, Mapping) else {"reference": label}
        end = next((end for end in self.eos_tokens if completion.endswith(end)), "")
        truncated = not end if self.eos_tokens else None
        text = completion.removesuffix(end)
        return Asked(text, prompt, columns=columns | {TRUNCATED: truncated})

    def logs(self, graded: Graded) -> dict[str, float]:
        """Return the raw parts, NaN where one has no opinion: OpenRLHF logs numbers alone."""
        numbers = graded.numbers(self.metric_prefix)
        return {name: float("nan") if value is None else value for name, value in numbers.items()}


def reward_function(
    stack: Reward,
    *,
    no_opinion: float,
    eos_token: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> RewardFunction:
    """Return `reward_func`, for the file that `--reward.remote_url` names.

    Token ids are not handed to it: rewards of the length need their `length=`.

    Args:
        stack: The stack; any other reward is a stack of one part.
        no_opinion: The reward of a completion on which the stack has no opinion.
        eos_token: Text, or texts, of the tokens that end a completion, which is graded without
            it; one that ends otherwise is `truncated`.
        columns: Field of the sample to a key of the labels, where these are objects.
        metric_prefix: Put before the names of the raw values.
        verdict_sink: Called with a list of one flat dict for each completion.

    Raises:
        TypeError: `stack` is not a reward.
        ValueError: the stack compares completions, follows a schedule, or has a part named as
            something that OpenRLHF logs.

    >>> import rlrewards as rr
    >>> reward_func = reward_function(rr.Accuracy(), no_opinion=0.0, eos_token="</s>")
    >>> reward_func.plain(["2 + 2? The answer is 4.</s>"], ["2 + 2? "], ["4"])
    {'rewards': [1.0], 'scores': [1.0], 'extra_logs': {'accuracy': [1.0], 'no_opinion': [0.0]}}
    """
    made = checked_scorer(
        stack,
        "OpenRLHF",
        no_opinion=require_number("no_opinion", no_opinion),
        columns={"truncated": TRUNCATED} | dict(columns or {}),
        verdict_sink=verdict_sink,
    )
    require_free_names(made.stack, RESERVED, metric_prefix, "OpenRLHF", "metric_prefix='raw/'")
    ends = (eos_token,) if isinstance(eos_token, str) else tuple(eos_token or ())
    if "" in ends:
        raise ValueError(f"eos_token={eos_token!r}; the text of a token cannot be empty")
    return RewardFunction(made, ends, metric_prefix)


def completion_of(query: str, prompt: str) -> str:
    """Return a query without its prompt.

    A prompt that was too long was cut from the left before it was answered, so the query may
    begin with its last part.

    >>> completion_of("2 + 2? 4", "2 + 2?"), completion_of("+ 2? 4", "2 + 2?")
    (' 4', ' 4')
    """
    if query.startswith(prompt):
        return query[len(prompt) :]
    sizes = range(min(len(query), len(prompt)), 0, -1)
    kept = next((size for size in sizes if prompt.endswith(query[:size])), 0)
    return query[kept:]


# ---------------------------------------------------------------------------------------------
# The agent


def agent_executor(
    stack: Reward,
    *,
    no_opinion: float,
    eos_token: str | Sequence[str] | None = None,
    columns: Mapping[str, str] | None = None,
    metric_prefix: str = "",
    verdict_sink: Sink | None = None,
) -> type:
    """Return `AgentExecutor`, for the file that `--train.agent_func_path` names.

    One turn, and the stack's reward for it; parts that wait run beside the other rollouts. The
    arguments are those of `reward_function`.

    Raises:
        ImportError: OpenRLHF is not installed.
        TypeError, ValueError: as `reward_function`.
    """
    from openrlhf.utils.agent import AgentInstanceBase, MultiTurnAgentExecutor

    made = reward_function(
        stack,
        no_opinion=no_opinion,
        eos_token=eos_token,
        columns=columns,
        metric_prefix=metric_prefix,
        verdict_sink=verdict_sink,
    )

    class StackAgent(AgentInstanceBase):  # type: ignore[misc]
        """Answers the first turn with its reward, and ends."""

        def __init__(self, *args: Any, **kwargs: Any) -> None: ...

        async def step(self, states: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
            """Return the reward of the turn."""
            import torch

            asked = made.asked(states["action_text"], states["observation_text"], states["label"])
            [graded] = await made.scorer.agrade([asked])
            return {
                "rewards": torch.tensor(graded.reward),
                "scores": graded.reward,
                "environment_feedback": "",
                "done": True,
                "extra_logs": made.logs(graded),
            }

    class AgentExecutor(MultiTurnAgentExecutor):  # type: ignore[misc]
        """Plays each prompt with a stack of rlrewards as its environment."""

        def __init__(self) -> None:
            super().__init__(StackAgent)

    return AgentExecutor


# ---------------------------------------------------------------------------------------------
# The server


def server(function: RewardFunction, host: str = "127.0.0.1", port: int = 5000) -> Any:
    """Return an HTTP server that answers OpenRLHF's requests; call its `serve_forever()`.

    Each request is answered in a thread of its own. What cannot be read is answered with status
    400 and the reason, a reward that fails with 500; OpenRLHF asks five times, then goes on without
    a reward.
    """

    class Handler(BaseHTTPRequestHandler):
        """One request."""

        def do_POST(self) -> None:
            """Answer a batch of completions."""
            try:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = 200, function.plain(*_request(body))
            except Exception as error:
                status = 400 if isinstance(error, TypeError | ValueError) else 500
                answer = {"error": f"{type(error).__name__}: {error}"}
                self.log_error("%s", answer["error"])
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            """Say nothing of what went well."""

    return ThreadingHTTPServer((host, port), Handler)


def _request(body: bytes) -> tuple[list[str], list[str], list[Any]]:
    """Return the queries, prompts and labels of a request, or say what is wrong with it."""
    request = json.loads(body)
    if not isinstance(request, dict):
        raise ValueError("expected a JSON object with query, prompts and labels")
    for key in ("query", "prompts", "labels"):
        if not isinstance(request.get(key), list):
            raise ValueError(f"expected a list under {key!r}, got {request.get(key)!r}")
        if key != "labels" and not all(isinstance(text, str) for text in request[key]):
            raise ValueError(f"expected a list of texts under {key!r}, got {request[key]!r}")
    queries, prompts, labels = request["query"], request["prompts"], request["labels"]
    if not len(queries) == len(prompts) == len(labels):
        raise ValueError(
            f"query, prompts and labels differ in length: {len(queries)}, {len(prompts)}, "
            f"{len(labels)}"
        )
    return queries, prompts, labels


def main(argv: list[str] | None = None) -> int:
    """Serve a stack from a TOML file."""
    parser = argparse.ArgumentParser(
        prog="python -m rlrewards.adapters.openrlhf",
        description="Serve a stack of rewards to OpenRLHF.",
    )
    parser.add_argument("stack", help="TOML file of the stack")
    parser.add_argument("--no-opinion", type=float, required=True, help="reward in place of None")
    parser.add_argument("--eos-token", action="append", help="text that ends a completion")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=5000, help="port to listen on (%(default)s)")
    parser.add_argument("--records", help="JSON lines file for every scored completion")
    options = parser.parse_args(argv)
    try:
        function = reward_function(
            Stack.from_toml(options.stack),
            no_opinion=options.no_opinion,
            eos_token=options.eos_token,
            verdict_sink=JsonlSink(options.records) if options.records else None,
        )
        listening = server(function, options.host, options.port)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    with listening:
        host, port = listening.server_address[:2]
        print(f"--reward.remote_url http://{host}:{port}/get_reward", flush=True)
        try:
            listening.serve_forever()
        except KeyboardInterrupt:
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
