"""TRL's side of `vs_trl`, in TRL's own environment: `python -m tests.benchmarks.vs_trl_theirs JOB`.

The loop is TRL's own: `environment_factory` with one tool, `act(command)`.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerFast, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from agentgym.envs.alfworld.env import ALFWorld
from agentgym.trainers.memory import peak_rss_gb
from agentgym.types import Task

from .vs_trl_job import Answer, Job, Step  # noqa: TID252  one name when run and when type-checked

AS_TALK = """\
{%- set found = namespace(talk=[]) -%}
{%- for message in messages -%}
  {%- set role, content = message.role, message.content -%}
  {%- if message.tool_calls -%}
    {%- set call = message.tool_calls[0].function -%}
    {%- if call.name == "act" -%}{%- set content = call.arguments.command or "" -%}
    {%- else -%}{%- set content = call.name ~ (call.arguments | tojson) -%}
    {%- endif -%}
  {%- elif role == "tool" -%}
    {%- set role = "user" -%}
  {%- endif -%}
  {%- set found.talk = found.talk + [{"role": role, "content": content}] -%}
{%- endfor -%}
{%- set messages = found.talk -%}
"""
"""Put before a chat template: a call of the tool is what the assistant says, its answer what the
user says. So both sides play the same conversation, and no token tells of tools."""


class Household:
    """ALFWorld as TRL wants an environment: what is public is a tool, or TRL's own method."""

    def __init__(self, tasks: Sequence[Task], job: Job) -> None:
        self._env, self._tasks, self._job = ALFWorld(), tasks, job
        self.num_turns, self.won, self.scored = 0, False, 0.0
        # TRL has no way for an environment to end an episode. What it would have to put behind
        # the context ends one: it is dropped, and the model is not asked again.
        self._end = " x" * 2 * job.context

    def reset(self, task: int, **_: Any) -> str:
        """Begin a task; the first observation."""
        self.num_turns, self.won = 0, False
        observation, _info = self._env.reset(options={"task": self._tasks[task]})
        return observation.text

    def act(self, command: str) -> str:
        """Do something in the house.

        Args:
            command: What to do.
        """
        observation, _, self.won, _, _ = self._env.step(command)
        self.num_turns += 1
        ends = self.won or self.num_turns == self._job.max_turns
        return self._end if ends else observation.text

    def get_reward(self) -> float:
        """1 for a task that was done, else 0."""
        self.scored = time.process_time()
        return float(self.won)


class Clock(TrainerCallback):
    """Notes what each step was."""

    def __init__(self, houses: Sequence[Household]) -> None:
        self.houses = houses
        self.began = 0.0
        self.seconds: list[tuple[float, float]] = []
        """Rollout and update."""
        self.steps: list[Step] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Before generation."""
        self.began = time.process_time()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Behind the optimizer's step."""
        # Rewards come last, but for TRL's advantages and logs: they count as its update.
        scored = max(house.scored for house in self.houses)
        self.seconds.append((scored - self.began, time.process_time() - scored))

    def on_log(self, *_: Any, **found: Any) -> None:
        """One row for each step, and one at the end."""
        logs: Mapping[str, float] = found["logs"]
        if "completions/mean_length" not in logs:
            return
        rollout, update = self.seconds[-1]
        num_sampled = round(logs["completions/mean_length"] * len(self.houses))
        self.steps.append(
            Step(
                rollout=rollout,
                update=update,
                num_turns=sum(house.num_turns for house in self.houses),
                num_sampled=num_sampled,
                num_trained=num_sampled,
                success=sum(house.won for house in self.houses) / len(self.houses),
            )
        )


def load_tokenizer(folder: str) -> Any:
    """The model's tokenizer, taught to write and read calls of the tool."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, padding_side="left")
    talk = [{"role": "user", "content": "x"}]
    text = tokenizer.apply_chat_template(talk, tokenize=False)
    asked = tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=True)
    begin = asked.removeprefix(text)
    tokenizer.chat_template = AS_TALK + tokenizer.chat_template
    tokenizer.response_template = {
        "defaults": {"role": "assistant"},
        # An anchor without width leaves `begin` to be read as what opens the call.
        "start_anchor_pattern": f"(?={re.escape(begin)})",
        "fields": {
            "tool_calls": {
                "open": begin,
                "close": tokenizer.eos_token,
                "repeats": True,
                "transform": {
                    "type": "function",
                    "function": {"name": "act", "arguments": {"command": "{content}"}},
                },
            }
        },
    }
    return tokenizer


def configure(job: Job, folder: str) -> GRPOConfig:
    """TRL's settings for the job; `vs_trl` says which of them were tuned."""
    num_episodes = job.num_tasks * job.group_size
    return GRPOConfig(
        output_dir=folder,
        seed=job.seed,
        use_cpu=True,
        bf16=False,
        model_init_kwargs={"dtype": "float32"},
        max_steps=job.num_steps,
        per_device_train_batch_size=job.sequences,
        gradient_accumulation_steps=num_episodes // job.sequences,
        num_generations=job.group_size,
        shuffle_dataset=False,
        max_completion_length=job.context,
        generation_kwargs={"max_new_tokens": job.max_turn_tokens},
        gradient_checkpointing=False,
        learning_rate=1e-6,
        lr_scheduler_type="constant",
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )


def converse(tokenizer: Any, house: Household) -> list[int]:
    """See `Answer.conversation`."""
    call = {"name": "act", "arguments": {"command": "look"}}
    talk = [
        {"role": "system", "content": ALFWorld.system_prompt},
        {"role": "user", "content": house.reset(task=0)},
        {"role": "assistant", "content": "", "tool_calls": [{"function": call}]},
        {"role": "tool", "name": "act", "content": house.act("look")},
    ]
    ids = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=False)
    return [int(token) for token in ids]


def main() -> None:
    """Do the job."""
    job = Job.read()
    torch.set_num_threads(1)
    tasks, tokenizer = job.tasks(), load_tokenizer(job.model)
    conversation = converse(tokenizer, Household(tasks, job))
    houses: list[Household] = []
    clock = Clock(houses)

    def build() -> Household:
        houses.append(Household(tasks, job))
        return houses[-1]

    prompt = [
        {"role": "system", "content": ALFWorld.system_prompt},
        {"role": "user", "content": ""},
    ]
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=job.model,
            args=configure(job, folder),
            train_dataset=Dataset.from_list(
                [{"prompt": prompt, "task": number} for number in range(len(tasks))]
            ),
            processing_class=tokenizer,
            environment_factory=build,
            callbacks=[clock],
        )
        loaded = peak_rss_gb()
        trainer.train()
    Answer(
        conversation=conversation, steps=clock.steps, loaded_gb=loaded, peak_gb=peak_rss_gb()
    ).write()


if __name__ == "__main__":
    main()
