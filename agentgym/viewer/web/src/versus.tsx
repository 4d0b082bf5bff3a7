// Two checkpoints, or two runs, on the same tasks: what was fixed, what broke, and how they went.
import { useMemo } from "preact/hooks";
import { load } from "./answers";
import { count } from "./format";
import { Pair } from "./pair";
import { Show, Status } from "./parts";
import type { About, Episode, Group, Place, Table } from "./records";
import { go, href, route, withQuery } from "./route";
import { tailOf } from "./tail";

interface Side {
  run: number;
  file: string;
}

interface Result {
  won: number;
  played: number;
  members: Place[];
}

interface Verdict {
  task: string;
  kind: "fixed" | "broken" | "same";
  results: [Result, Result];
}

const KINDS = ["fixed", "broken", "same"] as const;

export function Versus({ runs }: { runs: About[] }) {
  const tails = runs.map((_, run) => tailOf(run));
  const tables = tails.map((tail) => (tail.state === "ready" ? tail.value.table : null));
  const read = tails.every((tail) => tail.state === "failed" || (tail.state === "ready" && tail.value.whole));
  const sides = tables.flatMap((table, run) =>
    [...new Set(table?.columns.file ?? [])].map((file): Side => ({ run, file: String(file) })),
  );
  if (!read) return <p class="waiting">Reading the episodes&hellip;</p>;
  if (sides.length < 2) return <p class="waiting">There are no two evaluations or train steps to compare yet.</p>;
  return <Chosen runs={runs} tables={tables} sides={sides} />;
}

function Chosen({ runs, tables, sides }: { runs: About[]; tables: (Table | null)[]; sides: Side[] }) {
  const { query, run } = route.value;
  const one = named(sides, query.get("a")) ?? firstOf(sides, run);
  const other = named(sides, query.get("b")) ?? (one && partnerOf(sides, one));
  const verdicts = useMemo(
    () => (one && other ? judged(tables[one.run] ?? null, one, tables[other.run] ?? null, other) : []),
    [tables[one?.run ?? 0], tables[other?.run ?? 0], one && idOf(one), other && idOf(other)],
  );
  if (!one || !other) return null;
  const shown = query.get("show");
  const listed = shown === null ? verdicts : verdicts.filter((verdict) => verdict.kind === shown);
  const chosen = verdicts.find((verdict) => verdict.task === query.get("task")) ?? listed[0];
  return (
    <main class="versus" data-ready="compare">
      <aside class="facets">
        <SideChoice title="before" name="a" runs={runs} sides={sides} chosen={one} />
        <SideChoice title="after" name="b" runs={runs} sides={sides} chosen={other} />
        <fieldset class="facet">
          <legend>tasks of both</legend>
          <div class="values">
            {KINDS.map((kind) => (
              <button
                type="button"
                key={kind}
                aria-pressed={shown === kind}
                onClick={() => go({ query: withQuery({ show: shown === kind ? null : kind, task: null }) })}
              >
                <span class="value">{kind}</span>
                <span class="number">{verdicts.filter((verdict) => verdict.kind === kind).length}</span>
              </button>
            ))}
          </div>
        </fieldset>
        <ul class="tasks">
          {listed.map(({ task, kind, results }) => (
            <li key={task}>
              <button
                type="button"
                aria-pressed={task === chosen?.task}
                onClick={() => go({ query: withQuery({ task, ma: null, mb: null }) }, { replace: true })}
              >
                <span class="value">{task}</span>
                <span class="number" title={kind}>
                  {results.map((result) => `${result.won}/${result.played}`).join(" \u2192 ")}
                </span>
              </button>
            </li>
          ))}
        </ul>
      </aside>
      <section class="pairs" tabIndex={0} aria-label="one task, twice">
        {chosen ? (
          <Task key={chosen.task} verdict={chosen} sides={[one, other]} />
        ) : (
          <p class="empty">{verdicts.length ? "No such task." : "These two have no task in common that both have judged."}</p>
        )}
        {one.run === other.run ? null : <Recipes one={runs[one.run]} other={runs[other.run]} />}
      </section>
    </main>
  );
}

function idOf(side: Side): string {
  return `${side.run}:${side.file}`;
}

function named(sides: Side[], id: string | null): Side | undefined {
  return sides.find((side) => idOf(side) === id);
}

/** This run's first evaluation, or its first train step where it has none. */
function firstOf(sides: Side[], run: number): Side | undefined {
  const own = sides.filter((side) => side.run === run);
  return own.find((side) => side.file.startsWith("eval")) ?? own[0] ?? sides[0];
}

/** The last one of the same kind, of the same run if there is one. */
function partnerOf(sides: Side[], one: Side): Side | undefined {
  const others = sides.filter((side) => side !== one);
  const alike = others.filter((side) => kindOf(side) === kindOf(one));
  const own = (among: Side[]) => among.findLast((side) => side.run === one.run);
  return own(alike) ?? alike.at(-1) ?? own(others) ?? others.at(-1);
}

/** Sampled evaluations are compared with sampled ones, greedy with greedy. */
function kindOf(side: Side): string {
  return side.file.replace(/\d+/g, "");
}

/** The tasks that both sides have judged, what changed first. */
function judged(before: Table | null, one: Side, after: Table | null, other: Side): Verdict[] {
  const [left, right] = [resultsOf(before, one.file), resultsOf(after, other.file)];
  const verdicts = [...left].flatMap(([task, was]): Verdict[] => {
    const is = right.get(task);
    if (is === undefined) return [];
    const change = is.won / is.played - was.won / was.played;
    return [{ task, kind: change > 0 ? "fixed" : change < 0 ? "broken" : "same", results: [was, is] }];
  });
  return KINDS.flatMap((kind) => verdicts.filter((verdict) => verdict.kind === kind));
}

function resultsOf(table: Table | null, file: string): Map<string, Result> {
  const found = new Map<string, Result>();
  const cell = (column: string, row: number) => table?.columns[column]?.[row] ?? null;
  (table?.columns.file ?? []).forEach((name, row) => {
    const success = cell("success", row);
    if (name !== file || success === null) return;
    const task = String(cell("task_id", row));
    const result = found.get(task) ?? { won: 0, played: 0, members: [] };
    result.won += Number(success);
    result.played += 1;
    result.members.push({ file, group: Number(cell("group", row)), member: Number(cell("member", row)), turn: 1 });
    found.set(task, result);
  });
  return found;
}

function SideChoice({ title, name, runs, sides, chosen }: {
  title: string;
  name: string;
  runs: About[];
  sides: Side[];
  chosen: Side;
}) {
  return (
    <label class="side">
      {title}
      <select
        value={idOf(chosen)}
        onChange={(event) => go({ query: withQuery({ [name]: event.currentTarget.value, task: null }) })}
      >
        {sides.map((side) => (
          <option key={idOf(side)} value={idOf(side)}>
            {runs.length > 1 ? `${runs[side.run]?.name}: ` : ""}
            {side.file}
          </option>
        ))}
      </select>
    </label>
  );
}

function Task({ verdict, sides }: { verdict: Verdict; sides: [Side, Side] }) {
  const { query } = route.value;
  const places = verdict.results.map((result, index) => {
    const member = query.get(index === 0 ? "ma" : "mb");
    return result.members.find((place) => `${place.group}.${place.member}` === member) ?? result.members[0];
  });
  const [one, other] = places;
  if (!one || !other) return null;
  const [left, right] = sides.map((side, index) => {
    const place = places[index];
    return load<Group>(`/api/runs/${side.run}/files/${encodeURIComponent(side.file)}/groups/${place?.group}`);
  });
  if (!left || !right) return null;
  return (
    <>
      <h2>
        <span class="mono">{verdict.task}</span> <span class="facts">{verdict.kind}</span>
      </h2>
      <Show from={left} what="the first episode">
        {(before) => (
          <Show from={right} what="the second episode">
            {(after) => (
              <Aligned
                verdict={verdict}
                sides={sides}
                places={[one, other]}
                episodes={[memberOf(before, one), memberOf(after, other)]}
              />
            )}
          </Show>
        )}
      </Show>
    </>
  );
}

function memberOf(group: Group, place: Place): Episode | undefined {
  return group.members.find((each) => each.member === place.member);
}

function Aligned({ verdict, sides, places, episodes }: {
  verdict: Verdict;
  sides: [Side, Side];
  places: [Place, Place];
  episodes: [Episode | undefined, Episode | undefined];
}) {
  const longest = Math.max(...episodes.map((episode) => episode?.turns.length ?? 0));
  return (
    <div class="aligned">
      {episodes.map((episode, index) => {
        const [side, place] = [sides[index], places[index]];
        return (
          <p key={index} class="who">
            {episode && side && place ? (
              <>
                <a href={linkTo(side, place)}>{side.file}</a> <Status status={episode.status} />{" "}
                <span class="facts">{count(episode.turns.length, "turn")}</span>
                <Members name={index === 0 ? "ma" : "mb"} places={verdict.results[index]?.members ?? []} chosen={place} />
              </>
            ) : null}
          </p>
        );
      })}
      {Array.from({ length: longest }, (_, index) => {
        const [one, other] = episodes.map((episode) => episode?.turns[index]);
        const differs = one?.text !== other?.text || one?.observation.text !== other?.observation.text;
        return (
          <section key={index} class={differs ? "differs" : "same"} aria-label={`turn ${index + 1}`}>
            <span class="number">{index + 1}</span>
            <div class="did">
              <Pair one={one?.text ?? null} other={other?.text ?? null} />
            </div>
            <div class="answered">
              <Pair one={one?.observation.text ?? null} other={other?.observation.text ?? null} />
            </div>
          </section>
        );
      })}
    </div>
  );
}

function Members({ name, places, chosen }: { name: string; places: Place[]; chosen: Place }) {
  if (places.length < 2) return null;
  return (
    <select
      aria-label="episode"
      value={`${chosen.group}.${chosen.member}`}
      onChange={(event) => go({ query: withQuery({ [name]: event.currentTarget.value }) }, { replace: true })}
    >
      {places.map((place) => (
        <option key={`${place.group}.${place.member}`} value={`${place.group}.${place.member}`}>
          group {place.group}, m{place.member}
        </option>
      ))}
    </select>
  );
}

function linkTo(side: Side, place: Place): string {
  const query = new URLSearchParams({ view: "turn", member: String(place.member) });
  return href({ run: side.run, file: side.file, group: place.group, query });
}

function Recipes({ one, other }: { one: About | undefined; other: About | undefined }) {
  const recipe = (about: About | undefined) => about?.provenance.find(([title]) => title === "recipe")?.[1] ?? "";
  return (
    <details class="recipes">
      <summary>{recipe(one) === recipe(other) ? "the same recipe" : "how the recipes differ"}</summary>
      <div class="aligned">
        <Pair one={recipe(one)} other={recipe(other)} />
      </div>
    </details>
  );
}
