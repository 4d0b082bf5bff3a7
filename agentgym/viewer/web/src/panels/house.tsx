// ALFWorld: the house as far as the agent has seen it, read from the game's sentences alone.
import type { Episode } from "../records";

const NAME = "[a-z]+ \\d+";
const LISTED = new RegExp(`\\ban? (${NAME})`, "g");
const ROOM = /Looking quickly around you, you see (.+)\./;
const TASK = /Your task is to: (.+)\.\s*$/;
const ARRIVED = new RegExp(`^You arrive at (${NAME})\\.`);
const SEEN = new RegExp(`(?:On the (${NAME})|The (${NAME}) is open\\. In it), you see (.+)\\.`);
const SHUT = new RegExp(`The (${NAME}) is closed\\.|You close the (${NAME})\\.`);
const TAKEN = new RegExp(`^You pick up the (${NAME}) from the (${NAME})\\.`);
const MOVED = new RegExp(`^You move the (${NAME}) to the (${NAME})\\.`);
const CHANGED = new RegExp(`^You (clean|heat|cool) the (${NAME}) using|^You (sliced) the (${NAME})|^You turn on the (${NAME})`);
const PAST: Record<string, string> = { clean: "clean", heat: "hot", cool: "cool" };

interface House {
  task: string | null;
  here: string | null;
  held: string | null;
  /** Place -> what was last seen in it; null is not looked into. */
  places: Map<string, string[] | null>;
  shut: Set<string>;
  /** Item -> what was done to it. */
  changes: Map<string, Set<string>>;
}

/** The house after so many turns. */
function houseAfter(episode: Episode, turn: number): House {
  const intro = episode.first?.text ?? "";
  const house: House = {
    task: TASK.exec(intro)?.[1] ?? null,
    here: null,
    held: null,
    places: new Map(names(ROOM.exec(intro)?.[1]).map((place) => [place, null])),
    shut: new Set(),
    changes: new Map(),
  };
  for (const { observation } of episode.turns.slice(0, turn)) read(house, observation.text);
  return house;
}

function names(listing: string | undefined): string[] {
  return [...(listing ?? "").matchAll(LISTED)].map((match) => match[1] ?? "");
}

function read(house: House, answer: string): void {
  const [, arrived] = ARRIVED.exec(answer) ?? [];
  if (arrived) house.here = arrived;
  const [, on, inside, things] = SEEN.exec(answer) ?? [];
  const place = on ?? inside;
  if (place) {
    house.places.set(place, names(things));
    house.shut.delete(place);
  }
  const [, found, closed] = SHUT.exec(answer) ?? [];
  if (found ?? closed) house.shut.add(found ?? closed ?? "");
  const [, taken, from] = TAKEN.exec(answer) ?? [];
  if (taken && from) {
    house.held = taken;
    house.places.set(from, (house.places.get(from) ?? []).filter((item) => item !== taken));
  }
  const [, moved, to] = MOVED.exec(answer) ?? [];
  if (moved && to) {
    house.held = null;
    house.places.set(to, [...(house.places.get(to) ?? []), moved]);
  }
  const [, verb, treated, sliced, piece, lamp] = CHANGED.exec(answer) ?? [];
  const item = treated ?? piece ?? lamp;
  if (item) {
    const known = house.changes.get(item) ?? new Set();
    house.changes.set(item, known.add(PAST[verb ?? ""] ?? sliced ?? "lit"));
  }
}

export function HouseBoard({ episode, turn }: { episode: Episode; turn: number }) {
  const house = houseAfter(episode, turn);
  if (house.places.size === 0) return null;
  const described = (item: string) => [...(house.changes.get(item) ?? []), item].join(" ");
  const places = [...house.places].toSorted(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  return (
    <div class="house">
      <p>
        at <b>{house.here ?? "the start"}</b>, holding <b>{house.held ? described(house.held) : "nothing"}</b>
        {house.task ? <span class="facts"> &middot; to {house.task}</span> : null}
      </p>
      <ul>
        {places.map(([place, things]) => (
          <li key={place} class={place === house.here ? "here" : things ? "" : "unseen"}>
            <span class="place">{place}</span>{" "}
            <span class="things">
              {house.shut.has(place) ? "closed" : ""}
              {house.shut.has(place) && things?.length ? ": " : ""}
              {things ? things.map(described).join(", ") || (house.shut.has(place) ? "" : "empty") : ""}
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
