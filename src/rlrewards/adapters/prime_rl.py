"""prime-rl: a stack as a reward of the verifiers environment that it trains on.

Read from prime-rl's sources (orchestrator/train_sink.py) and verifiers 0.4.0. prime-rl has no
rewards of its own: its orchestrator rolls out verifiers environments and takes `trace.reward`, the
sum of what their tasks' rewards returned. A rollout whose trace has an error leaves its group
before the advantages are computed, so the default of `reward_function`, to raise
`NoOpinionError`, is "no opinion" to the letter: the completion takes no part in the mean of its
group and is not trained on. Where all rollouts of a group fail, the group is dropped. Plug it in
below the environment's taskset, as for verifiers: `task.rewards.stack.fn = "my_rewards:graded"`.
"""

from rlrewards.adapters.verifiers import NoOpinionError, StackReward, reward_function

__all__ = ["NoOpinionError", "StackReward", "reward_function"]
