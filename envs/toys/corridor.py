"""Corridor: rooms in a row, two keys, a locked door; different orders of actions meet again."""

from itertools import product
from typing import Any

from agentgym import Observation, Outcome, Panel, Parsed, Task, TurnEnv, UsageError
from agentgym.errors import unknown

NUM_ROOMS = 4


class Corridor(TurnEnv):
    """Take both keys, in either order, and open the door: reward 1, once."""

    system_prompt = "Take both keys, then open the door. Answer with one of the offered actions."
    expert_name = "shortest path"

    @classmethod
    def splits(cls) -> tuple[str, ...]:
        """Placements to learn from, and others."""
        return ("gen1/train", "gen1/unseen")

    @classmethod
    def panel(cls, split: str) -> Panel:
        """All 64 placements of you, the keys and the door; each fifth one is unseen."""
        if split not in cls.splits():
            raise unknown("split", split, cls.splits())
        tasks = tuple(
            Task(id=f"{i:02}", split=split, seed=i, public={"rooms": rooms})
            for i, rooms in enumerate(product(range(NUM_ROOMS), repeat=3))
            if (i % 5 == 0) == (split == "gen1/unseen")
        )
        return Panel(name=split, env="agentgym/Corridor-v0", tasks=tasks)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Observation, Any]:
        """Begin in the task's room, with both keys to find and the door locked."""
        rooms: Any = self.pick_task(seed, options).public["rooms"]
        self.here, self.key_room, self.door_room = rooms
        self.needed, self.is_open = ["red key", "blue key"], False
        return self.look(), {}

    def step(self, action: str) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Do it; what is not offered changes nothing, and the answer says so."""
        if self.is_open:
            raise UsageError("the episode is over; call reset")
        act = self.parse(action).action
        self.is_open = act == "open door" and not self.needed
        self.here += (act == "east") - (act == "west")
        self.needed = [key for key in self.needed if act != f"take {key}"]
        door = "The door opens. " if self.is_open else "The door is locked. "
        note = {None: "You cannot do that. ", "open door": door}.get(act, "")
        return self.look(note), float(self.is_open), self.is_open, False, {}

    def parse(self, text: str) -> Parsed:
        """One of the offered actions and nothing else."""
        action = text.strip()
        return Parsed(action=action) if action in self.choices() else Parsed(invalid="not offered")

    def choices(self) -> tuple[str, ...]:
        """What can be tried here."""
        ways = ["west"] * (self.here > 0) + ["east"] * (self.here < NUM_ROOMS - 1)
        takes = [f"take {key}" for key in self.needed if self.here == self.key_room]
        return (*ways, *takes, *["open door"] * (self.here == self.door_room))

    def look(self, note: str = "") -> Observation:
        """What is seen here; the note is no part of the state."""
        state = f"You are in room {self.here + 1}. You need: {', '.join(self.needed) or 'no key'}."
        return Observation(text=note + state, key=state, choices=self.choices())

    def outcome(self) -> Outcome:
        """Whether the door is open."""
        return Outcome(score=float(self.is_open), success=self.is_open)

    def expert_action(self) -> str:
        """The next action of a shortest way."""
        target = self.key_room if self.needed else self.door_room
        if self.here != target:
            return "east" if self.here < target else "west"
        return f"take {self.needed[0]}" if self.needed else "open door"
