// From and to, for the columns of numbers; in the address as `turns=5..10`, either end left open.
import { useMemo } from "preact/hooks";
import type { Cell, Table } from "./records";
import { go, route, withQuery } from "./route";

export const RANGED = ["score", "reward", "turns", "invalid", "tokens", "advantage"] as const;

/** The rows whose numbers lie between all ends that the address names, the ends among them. */
export function within(rows: number[], table: Table, query: URLSearchParams): number[] {
  return RANGED.reduce((kept, name) => {
    const [low, high] = endsIn(query, name).map(boundOf);
    if (low === undefined && high === undefined) return kept;
    const column = table.columns[name] ?? [];
    return kept.filter((row) => holds(column[row], low ?? -Infinity, high ?? Infinity));
  }, rows);
}

function endsIn(query: URLSearchParams, name: string): [low: string, high: string] {
  const [low = "", high = ""] = (query.get(name) ?? "").split("..", 2);
  return [low, high];
}

/** undefined where nothing is asked for, or nothing that is a number. */
function boundOf(end: string): number | undefined {
  return end.trim() === "" || Number.isNaN(Number(end)) ? undefined : Number(end);
}

function holds(cell: Cell | undefined, low: number, high: number): boolean {
  if (cell === null || cell === undefined) return false;
  const value = Number(cell);
  return low <= value && value <= high;
}

export function Ranges({ table }: { table: Table }) {
  const { query } = route.value;
  const spans = useMemo(() => RANGED.map((name) => spanOf(table.columns[name] ?? [])), [table]);
  const shown = RANGED.flatMap((name, index) => {
    const [low, high] = spans[index] ?? [0, 0];
    return low < high || query.has(name) ? [{ name, low, high }] : [];
  });
  if (shown.length === 0) return null;
  return (
    <fieldset class="facet ranges">
      <legend>from &ndash; to</legend>
      {shown.map(({ name, low, high }) => (
        <div key={name} class="range">
          <span>{name}</span>
          <End name={name} place={0} hint={low} />
          <End name={name} place={1} hint={high} />
        </div>
      ))}
    </fieldset>
  );
}

function End({ name, place, hint }: { name: string; place: 0 | 1; hint: number }) {
  const ends = endsIn(route.value.query, name);
  return (
    <input
      type="number"
      step="any"
      aria-label={`${name} ${place ? "to" : "from"}`}
      placeholder={rounded(hint, place)}
      value={ends[place]}
      onInput={(event) => {
        const value = event.currentTarget.value;
        const [low, high] = place ? [ends[0], value] : [value, ends[1]];
        go({ query: withQuery({ [name]: low || high ? `${low}..${high}` : null }) }, { replace: true });
      }}
    />
  );
}

/** The least and the largest number of a column; [0, 0] where it has none. */
function spanOf(column: Cell[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const cell of column) {
    if (typeof cell !== "number") continue;
    if (cell < low) low = cell;
    if (cell > high) high = cell;
  }
  return low <= high ? [low, high] : [0, 0];
}

/** Outwards to two digits, so that all rows lie between the two that are shown. */
function rounded(value: number, place: 0 | 1): string {
  const hundredths = place ? Math.ceil(value * 100) : Math.floor(value * 100);
  return String(hundredths / 100);
}
