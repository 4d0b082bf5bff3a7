"""Lookup: two facts lead to an answer; free text, tool calls, and a gold answer kept secret."""

import random
import re
from typing import Any, cast

from agentgym import Observation, Outcome, Panel, Parsed, Task, TurnEnv, UsageError
from agentgym.errors import unknown

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")
CITIES = ("Bern", "Cairo", "Delhi", "Lima", "Oslo", "Paris", "Quito", "Rome")
CALL = re.compile(r"(lookup|answer)\[([^\[\]\n]{1,40})\]")


def make_task(number: int, split: str) -> Task:
    """Eight people in a circle of friends, a city each; ask where somebody's friend lives."""
    rng = random.Random(number)
    people, cities = rng.sample(NAMES, 8), rng.sample(CITIES, 8)
    facts = {
        name: f"The friend of {name} is {friend}. {name} lives in {city}."
        for name, friend, city in zip(people, people[1:] + people[:1], cities, strict=True)
    }
    question = f"Where does the friend of {people[0]} live?"
    plan = (f"lookup[{people[0]}]", f"lookup[{people[1]}]", f"answer[{cities[1]}]")
    public: dict[str, Any] = {"question": question, "facts": facts}
    secret: dict[str, Any] = {"answers": [cities[1]], "plan": plan}
    return Task(id=f"{number:03}", split=split, seed=number, public=public, secret=secret)


class Lookup(TurnEnv):
    """Look people up, then answer: reward 1 for the right city; an answer ends the episode."""

    system_prompt = "Write lookup[NAME] to read about a person, and answer[CITY] to end."
    expert_name = "plan"

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        return ("gen1/train", "gen1/unseen")

    @classmethod
    def panel(cls, split: str) -> Panel:
        """128 tasks for training, 32 others."""
        if split not in cls.splits():
            raise unknown("split", split, cls.splits())
        numbers = range(128) if split == "gen1/train" else range(128, 160)
        tasks = tuple(make_task(number, split) for number in numbers)
        return Panel(name=split, env="agentgym/Lookup-v0", tasks=tasks)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        self.task = self.pick_task(seed, options)
        self.facts = cast("dict[str, str]", self.task.public["facts"])
        self.plan = list(cast("list[str]", self.task.secret["plan"]))
        self.given: str | None = None
        return Observation(text=str(self.task.public["question"])), {}

    def parse(self, text: str) -> Parsed:
        calls = CALL.findall(text)  # a model may think aloud first: the last call counts
        return Parsed(action="{}[{}]".format(*calls[-1])) if calls else Parsed(invalid="no call")

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        if self.given is not None:
            raise UsageError("the episode is over; call reset")
        call = self.parse(action).action or "neither[]"
        tool, _, argument = call[:-1].partition("[")
        self.plan = self.plan[call == self.plan[0] :]
        if tool == "answer":
            self.given = argument
            return Observation(text="Thank you."), self.outcome().score, True, False, {}
        text = self.facts.get(argument, "Nobody has that name.") if tool == "lookup" else "No call."
        return Observation(text=text), 0.0, False, False, {}

    def outcome(self) -> Outcome:
        success = self.given in cast("list[str]", self.task.secret["answers"])
        return Outcome(score=float(success), success=success)

    def expert_action(self) -> str:
        return self.plan[0]
