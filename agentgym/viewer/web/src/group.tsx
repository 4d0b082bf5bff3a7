// A group: its members' credit at a glance, and below it one of three views of the same turn.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { load, type Loaded } from "./answers";
import { isExported } from "./archive";
import { Compare } from "./compare";
import { finite, largest, plain, signed, statusWords, count } from "./format";
import { barTitle, inputsOf } from "./formula";
import { GraphView } from "./graph";
import { useKeys } from "./keys";
import { Banner, Show, Status } from "./parts";
import type { About, Credit, Episode, Group, Num } from "./records";
import { go, route, wholeNumber, withQuery } from "./route";
import { TurnView } from "./turn";
import type { Selection } from "./selection";

export const VIEWS = [
  ["side", "Side by side"],
  ["turn", "Step through"],
  ["graph", "Graph"],
] as const;

/** How long a turn is shown while the episode plays. */
const TURN_MS = 1000;

export function GroupView({ run, file, group, about }: { run: number; file: string; group: number; about: About }) {
  const path = `/api/runs/${run}/files/${encodeURIComponent(file)}/groups/${group}`;
  useKeys({ Escape: toTable }); // the way back while nothing is read yet, or cannot be
  return (
    <Show from={load<Group>(path)} what={`group ${group} of ${file}`}>
      {(found) => <Members path={path} group={found} about={about} />}
    </Show>
  );
}

function Members({ path, group, about }: { path: string; group: Group; about: About }) {
  const { query } = route.value;
  const scheme = query.get("scheme");
  const credit = load<Credit>(`${path}/credit${scheme ? `?scheme=${encodeURIComponent(scheme)}` : ""}`);
  const trained = load<Credit>(`${path}/credit`);
  const view = query.get("view") ?? "side";
  const selection = selectionOf(group, query);
  const advantages = useMemo(() => advantagesOf(group, credit, scheme), [group, credit, scheme]);
  const scale = useMemo(() => largest(advantages.flatMap((member) => member ?? [])), [advantages]);
  const titles = useMemo(() => titlesOf(group, credit, advantages), [group, credit, advantages]);
  const player = usePlayer(group, selection, view === "turn");
  const reading = { " ": player.toggle, ".": () => pickToken(group, selection, 1), ",": () => pickToken(group, selection, -1) };
  useKeys({ ...keysOf(group, selection), ...(view === "turn" ? reading : {}) });
  return (
    <main class="group" data-ready={view === "graph" ? undefined : view}>
      <div class="about">
        <p class="task">
          <span class="aside-label">task</span> <span class="mono">{group.task_id}</span>
        </p>
        <Tick credit={credit} />
        <Schemes credit={trained.state === "ready" ? trained : credit} scheme={scheme} />
      </div>
      <Strip group={group} advantages={advantages} titles={titles} scale={scale} selection={selection} />
      <div class="tabs">
        <div role="tablist" aria-label="view">
          {VIEWS.map(([name, title], index) => (
            <button
              key={name}
              type="button"
              role="tab"
              aria-selected={view === name}
              onClick={() => go({ query: withQuery({ view: name }) })}
            >
              {title} <kbd>{index + 1}</kbd>
            </button>
          ))}
        </div>
        {view === "turn" ? (
          <button type="button" class="play" aria-pressed={player.playing} onClick={player.toggle}>
            {player.playing ? "Pause" : "Play"} <kbd>Space</kbd>
          </button>
        ) : null}
        <span class="hint">
          <kbd>&larr;</kbd>
          <kbd>&rarr;</kbd> turn <kbd>&uarr;</kbd>
          <kbd>&darr;</kbd> member <kbd>[</kbd>
          <kbd>]</kbd> group {view === "turn" ? <><kbd>,</kbd><kbd>.</kbd> token </> : null}
          <kbd>Esc</kbd> table
        </span>
      </div>
      {view === "turn" ? (
        <TurnView
          path={path}
          scheme={scheme}
          group={group}
          replay={about.replay}
          advantages={advantages}
          credit={credit}
          scale={scale}
          selection={selection}
        />
      ) : view === "graph" ? (
        <GraphView path={path} scheme={scheme} group={group} selection={selection} />
      ) : (
        <Compare group={group} advantages={advantages} titles={titles} scale={scale} selection={selection} />
      )}
    </main>
  );
}

function selectionOf(group: Group, query: URLSearchParams): Selection {
  const member = wholeNumber(query.get("member"));
  const place = Math.max(0, group.members.findIndex((each) => each.member === member));
  const turns = group.members[place]?.turns.length ?? 0;
  return {
    place,
    turn: Math.min(wholeNumber(query.get("turn")) ?? Math.min(1, turns), turns),
    select: (to, turn) => go({ query: withQuery({ member: to, turn, token: null }) }, { replace: true }),
  };
}

/** `[place][turn - 1]`: what the loss saw or, when another scheme is chosen, what that one gives. */
function advantagesOf(group: Group, credit: Loaded<Credit>, scheme: string | null): (Num[] | null)[] {
  return group.members.map((member) => {
    if (scheme === null) return member.advantages;
    return credit.state === "ready" ? (credit.value.members[member.member]?.advantages ?? null) : null;
  });
}

/** The next token of the turn, or the one before; beyond its ends none. */
function pickToken(group: Group, { place, turn }: Selection, by: number): void {
  const size = group.members[place]?.turns[turn - 1]?.action_ids.length ?? 0;
  const chosen = wholeNumber(route.value.query.get("token"));
  const next = chosen === null ? (by > 0 ? 1 : size) : chosen + by;
  go({ query: withQuery({ token: next >= 1 && next <= size ? next : null }) }, { replace: true });
}

/** `[place][turn - 1]`: what a bar says when the pointer rests on it. */
function titlesOf(group: Group, credit: Loaded<Credit>, advantages: (Num[] | null)[]): string[][] {
  return group.members.map(({ member, turns }, place) =>
    turns.map((_, index) => {
      const known = credit.state === "ready" ? inputsOf(group, credit.value, null, [member, index + 1]) : [];
      return barTitle(index + 1, advantages[place]?.[index] ?? null, known);
    }),
  );
}

/** Turn after turn to the end of the episode, or from its start if that is where the reader is. */
function usePlayer(group: Group, { place, turn, select }: Selection, isShown: boolean) {
  const playing = useSignal(false);
  const at = group.members[place];
  const last = at?.turns.length ?? 0;
  useEffect(() => {
    if (!isShown || turn >= last) playing.value = false;
    if (!playing.value || at === undefined) return;
    const timer = setTimeout(() => select(at.member, turn + 1), TURN_MS);
    return () => clearTimeout(timer);
  }, [playing.value, group, place, turn, isShown]);
  const toggle = () => {
    if (!playing.value && at && turn >= last) select(at.member, 0);
    playing.value = !playing.value && last > 0;
  };
  return { playing: playing.value, toggle };
}

function toTable(): void {
  go({ file: null, group: null, query: new URLSearchParams() });
}

function keysOf(group: Group, { place, turn, select }: Selection): Record<string, () => void> {
  const at = group.members[place];
  const step = (by: number) => {
    if (at) select(at.member, Math.max(0, Math.min(at.turns.length, turn + by)));
  };
  const hop = (by: number) => {
    const next = group.members[place + by];
    if (next) select(next.member, Math.min(turn, next.turns.length));
  };
  const other = (by: number) => {
    const next = group.groups[group.groups.indexOf(group.group) + by];
    if (next !== undefined) go({ group: next, query: withQuery({ member: null, turn: null }) });
  };
  const keys: Record<string, () => void> = {
    ArrowRight: () => step(1),
    ArrowLeft: () => step(-1),
    ArrowDown: () => hop(1),
    ArrowUp: () => hop(-1),
    Home: () => step(-Infinity),
    End: () => step(Infinity),
    "]": () => other(1),
    "[": () => other(-1),
    Enter: () => go({ query: withQuery({ view: "turn" }) }),
    Escape: toTable,
  };
  VIEWS.forEach(([name], index) => {
    keys[String(index + 1)] = () => go({ query: withQuery({ view: name }) });
  });
  return keys;
}

/** Whether the credit in the file is what the run's own scheme gives on its episodes today. */
function Tick({ credit }: { credit: Loaded<Credit> }) {
  if (credit.state === "loading") return <p class="tick">recomputing credit&hellip;</p>;
  if (credit.state === "failed") return <p class="tick">Not recomputed: {credit.error}</p>;
  const { scheme, used, difference, turns } = credit.value;
  if (scheme !== used) {
    return (
      <p class="tick">
        shown: {scheme}; the run used {used}, at most {plain(difference)} away
      </p>
    );
  }
  return difference === 0 ? (
    <p class="tick exact">
      <span aria-hidden="true">{"\u2713"}</span> recomputed: difference 0 over {count(turns, "turn")} of this step
    </p>
  ) : (
    <Banner>
      Recomputed credit differs from what the trainer used, by up to {String(difference)} in this step.
    </Banner>
  );
}

function Schemes({ credit, scheme }: { credit: Loaded<Credit>; scheme: string | null }) {
  if (isExported || (credit.state === "failed" && scheme === null)) return null;
  const names = credit.state === "ready" ? credit.value.schemes : scheme === null ? [] : [scheme];
  const used = credit.state === "ready" ? credit.value.used : null;
  return (
    <label class="schemes">
      credit by{" "}
      <select
        value={scheme ?? ""}
        onChange={(event) => go({ query: withQuery({ scheme: event.currentTarget.value }) })}
      >
        <option value="">{used ? `${used}, as trained` : "as trained"}</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

const CELL = 9;
const HALF = 11;

/** One row of bars per member, a bar per turn. */
function Strip({ group, advantages, titles, scale, selection }: {
  group: Group;
  advantages: (Num[] | null)[];
  titles: string[][];
  scale: number;
  selection: Selection;
}) {
  const longest = Math.max(1, ...group.members.map((member) => member.turns.length));
  return (
    <div class="strip" role="list" aria-label="members, with the credit of each turn">
      {group.members.map((member, place) => (
        <div
          key={member.member}
          role="listitem"
          class={`member ${place === selection.place ? "selected" : ""}`}
          onClick={() => place === selection.place || selection.select(member.member, Math.min(selection.turn, member.turns.length))}
        >
          <span class="name">m{member.member}</span>
          <Status status={member.status} words={false} />
          <span class="score" title="score">
            {plain(member.score, 2)}
          </span>
          <svg
            role="img"
            aria-label={barsLabel(member, advantages[place] ?? null)}
            width={longest * CELL}
            height={2 * HALF}
            viewBox={`0 0 ${longest * CELL} ${2 * HALF}`}
          >
            {member.turns.map((turn, index) => (
              <Bar
                key={index}
                index={index}
                value={advantages[place]?.[index] ?? null}
                title={titles[place]?.[index] ?? ""}
                scale={scale}
                invalid={turn.invalid !== null}
                selected={place === selection.place && index + 1 === selection.turn}
                onClick={() => selection.select(member.member, index + 1)}
              />
            ))}
          </svg>
        </div>
      ))}
    </div>
  );
}

function barsLabel(member: Episode, advantages: Num[] | null): string {
  const credit = advantages ? `credit ${advantages.map((value) => signed(value, 2)).join(", ")}` : "no credit";
  return `member ${member.member}, ${statusWords(member.status)}, ${count(member.turns.length, "turn")}, ${credit}`;
}

function Bar({ index, value, title, scale, invalid, selected, onClick }: {
  index: number;
  value: Num | null;
  title: string;
  scale: number;
  invalid: boolean;
  selected: boolean;
  onClick: () => void;
}) {
  const height = scale > 0 ? (HALF - 1) * Math.min(1, Math.abs(finite(value)) / scale) : 0;
  const up = finite(value) >= 0;
  return (
    <g
      class={`bar ${selected ? "selected" : ""}`}
      transform={`translate(${index * CELL} 0)`}
      onClick={(event) => {
        event.stopPropagation();
        onClick();
      }}
    >
      <title>{invalid ? `${title}\nan invalid turn` : title}</title>
      <rect class="hit" width={CELL} height={2 * HALF} />
      <rect class="zero" x={1} y={HALF - 0.5} width={CELL - 2} height={1} />
      {height > 0 ? (
        <rect
          class={up ? "plus" : "minus"}
          x={1}
          y={up ? HALF - height : HALF}
          width={CELL - 2}
          height={height}
        />
      ) : null}
      {invalid ? <circle class="invalid" cx={CELL / 2} cy={up ? HALF + 4 : HALF - 4} r={1.5} /> : null}
    </g>
  );
}
