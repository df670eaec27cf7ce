"""The prompts of the thesis, by the numbers of their boxes.

Box 3, the template of the distilled examples, is a picture without text in the copies that we know:
the examples are asked with Box 4's, the form that GRPO rewards afterwards.
"""

from __future__ import annotations

# Box 1, to the teacher: a solution. What marks the answer's line is lost in our copy, which has
# `<final_answer>` alone; the mark is Box 6's.
TRIPLET = """\
You are a brilliant and meticulous math expert. Your task is to solve the given problem by \
providing a clear, step-by-step reasoning process. The reasoning should be concise and only \
include the necessary logical steps to reach the solution. Do not include unnecessary prose or \
overly detailed explanations of basic concepts.

After you have finished all reasoning steps, you must end your response with the final answer on a \
new line, in the EXACT format:

#### <final_answer>

Here is the problem:

{question}"""

# Box 2, to the judge of the teacher's solutions: two scores as JSON.
QUALITY = """\
Role: You are an AI assistant specializing in evaluating mathematical reasoning. Your response \
MUST be ONLY a valid JSON object.

Task: Evaluate a math problem solution with two scores:
1. Correctness: 0 (wrong answer) or 1 (correct answer)
2. Reasoning quality: 1-10 scale based on logical soundness and clarity

Input: {input_json}

Evaluation Rules:
1. Correctness (is_correct):
- Compare generated_answer with final_answer.
- Score 1 if semantically equivalent (e.g., "15" = "15.0", "C" = full option C text).
- Score 0 if factually different.
2. Reasoning Quality (reasoning_quality):
Rate 1-10 based on:
- Logical flow and correct steps (primary factor).
- Clear explanation and organization.
- Computational accuracy in reasoning process.

Detailed Quality scale:
- 8-10: Excellent - Clear, complete, logically sound.
- 6-7: Good - Mostly clear with minor issues.
- 4-5: Adequate - Has flaws but generally reasonable.
- 2-3: Poor - Major logical errors or very unclear.
- 1: Very poor - Severely flawed or incomprehensible.

Important: Even if final answer is wrong, reasoning can still score high if the process is sound.

Output Format (exactly this structure, no other text):
{{"is_correct": 0, "reasoning_quality": 5}}"""

# Box 4, to the model in training.
SOLVE = """\
You are an AI assistant specializing in math. Solve the following problem step-by-step.

IMPORTANT FORMAT REQUIREMENTS:
1. Show your reasoning steps inside <think>...</think> tags (be concise, brief, essential steps \
only).
2. Enclose your final answer inside <answer>...</answer> tags.

Problem:
{question}"""

# Box 5, to the judge of the reward: 1 or 0.
GRADE = """\
Role: You are a professional math grader.

Task: Evaluate if the student's answer is mathematically equivalent to the reference answer.

Evaluation Rules:
- Focus ONLY on the content inside <answer>...</answer> tags.
- Score 1 if mathematically/semantically equivalent.
- Score 0 if different or incorrect.
- For multiple choice: exact letter match required.

Problem: {question}
Reference answer: {ref}
Student answer (from <answer> tags): {pred_ans}

Respond ONLY with: 1 or 0"""

# Box 6, at the evaluation.
EVALUATE = """\
You are an AI assistant specializing in math.

Problem:
{question}

Please solve this step-by-step. Show your reasoning and calculations (be concise, brief, essential \
steps only). Put your final numerical answer after ####"""


def ask(template: str, question: str) -> list[dict[str, str]]:
    """Return a conversation of one turn; braces in the question stay as they are."""
    return [{"role": "user", "content": template.replace("{question}", question)}]
