"""Lookup: two facts lead to an answer; free text, tool calls, and a gold answer kept secret."""

import random
import re
from typing import Any, cast

from agentgym import Observation, Outcome, Panel, Parsed, Task, TurnEnv, UsageError
from agentgym.errors import unknown

NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")
CITIES = ("Bern", "Cairo", "Delhi", "Lima", "Oslo", "Paris", "Quito", "Rome")
CALL = re.compile(r"(lookup|answer)\[([^\[\]\n]{1,40})\]")


def make_task(number: int, split: str, *, route: tuple[str, str, str]) -> Task:
    """Where does the friend of somebody live? What is not on the way is drawn by the number."""
    draw = random.Random(number).random
    names = sorted(NAMES, key=lambda name: (name != route[0], name != route[1], draw()))
    homes = sorted(CITIES, key=lambda city: (city != route[2], draw()))
    fact = "The friend of {0} is {1}; {0} lives in {2}."  # too many to know by heart
    facts = {n: fact.format(n, names[(i + 1) % 8], homes[i - 1]) for i, n in enumerate(names)}
    public: Any = {"question": f"Where does the friend of {route[0]} live?", "facts": facts}
    plan = (f"lookup[{route[0]}]", f"lookup[{route[1]}]", f"answer[{route[2]}]")
    secret: Any = {"answers": [route[2]], "plan": plan}
    return Task(id=f"{number:03}", split=split, seed=number, public=public, secret=secret)


class Lookup(TurnEnv):
    """Look people up, then answer: reward 1 for the right city; an answer ends the episode."""

    system_prompt = "Write lookup[NAME] to read about a person, and answer[CITY] to end."
    expert_name = "plan"

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """Unseen are ways from a person to a city, not their parts: each step is in training."""
        return ("gen1/train", "gen1/unseen")

    @classmethod
    def panel(cls, split: str) -> Panel:
        """All 448 of somebody, a friend and the friend's city; each fifth one is unseen."""
        if split not in cls.splits():
            raise unknown("split", split, cls.splits())
        routes = [(a, b, city) for a in NAMES for b in NAMES if a != b for city in CITIES]
        random.Random(0).shuffle(routes)  # so that a few tasks, too, speak of everybody
        of_split = [i for i in range(len(routes)) if (i % 5 == 0) == (split == "gen1/unseen")]
        tasks = tuple(make_task(i, split, route=routes[i]) for i in of_split)
        return Panel(name=split, env="agentgym/Lookup-v0", tasks=tasks)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Observation, Any]:
        """Ask the task's question."""
        self.task: Any = self.pick_task(seed, options)
        self.plan, self.given = cast("Any", self.task.secret["plan"]), ""
        return Observation(text=str(self.task.public["question"])), {}

    def parse(self, text: str) -> Parsed:
        """The last call: a model may think aloud first."""
        calls = CALL.findall(text)
        return Parsed(action="{}[{}]".format(*calls[-1])) if calls else Parsed(invalid="no call")

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Tell what is known about a name; end with an answer."""
        if self.given:
            raise UsageError("the episode is over; call reset")
        tool, argument = (CALL.findall(action) or [("", "")])[-1]
        self.plan = self.plan[f"{tool}[{argument}]" == self.plan[0] :]
        self.given = argument if tool == "answer" else ""
        fact = self.task.public["facts"].get(argument, "Nobody has that name.")
        text = {"lookup": fact, "answer": "Thank you."}.get(tool, "No call.")
        return Observation(text=text), self.outcome().score or 0.0, bool(self.given), False, {}

    def outcome(self) -> Outcome:
        """Whether the answer is the right city."""
        success = self.given in self.task.secret["answers"]
        return Outcome(score=float(success), success=success)

    def expert_action(self) -> str:
        """What is next on the way that the task keeps secret."""
        return str(self.plan[0])
