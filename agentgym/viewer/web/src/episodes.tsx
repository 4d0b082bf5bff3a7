// The table of a run's episodes: facets, ranges, a filter, an order, all in the address.
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { factored, parseFilter, sortRows } from "./filter";
import { count, largest, plain, statusWords } from "./format";
import { useKeys } from "./keys";
import { Banner, CreditBar, Show, Status } from "./parts";
import { RANGED, Ranges, within } from "./ranges";
import type { Cell, Num, Table } from "./records";
import { go, href, route, withQuery } from "./route";
import { showFresh, tailOf, type Tail } from "./tail";

const ROW = 28;
/** Rows drawn above and below what is visible, so that fast scrolling shows no gaps. */
const SPARE = 6;
const FACETS = [
  ["file", "file"],
  ["status", "status"],
  ["error", "error"],
  ["env", "environment"],
] as const;
/** What narrows the table down, put aside. */
const NO_CHOICE = Object.fromEntries(["q", ...FACETS.map(([column]) => column), ...RANGED].map((key) => [key, null]));
const HEADS: [column: string, title: string, kind: string][] = [
  ["file", "file", "words"],
  ["group", "group", "num"],
  ["member", "member", "num"],
  ["task_id", "task", "words wide"],
  ["status", "status", "words"],
  ["score", "score", "num"],
  ["reward", "reward", "num extra"],
  ["turns", "turns", "num"],
  ["invalid", "invalid", "num extra"],
  ["tokens", "tokens", "num extra"],
  ["advantage", "advantage", "bar"],
];

export function Episodes({ run }: { run: number }) {
  return (
    <Show from={tailOf(run)} what="the episodes">
      {(tail) => <Listing run={run} tail={tail} />}
    </Show>
  );
}

function Listing({ run, tail }: { run: number; tail: Tail }) {
  const { table, whole, fresh, lost } = tail;
  const query = route.value.query;
  const size = table.columns.file?.length ?? 0;
  const all = useMemo(() => Array.from({ length: size }, (_, row) => row), [size]);
  const filter = useMemo(() => parseFilter(query.get("q") ?? "", table), [query.get("q"), table]);
  const chosen = FACETS.map(([column]) => query.get(column));
  const ranges = RANGED.map((name) => query.get(name));
  const matching = useMemo(
    () => within(all.filter(filter.test), table, query),
    [all, filter, ...ranges],
  );
  const order = query.get("sort") ?? "";
  const rows = useMemo(
    () => sortRows(narrowed(matching, table, chosen), table, order),
    [matching, order, ...chosen],
  );
  return (
    <main class="episodes" data-ready="episodes">
      <div class="banners">
        {lost === null ? null : <Banner>Nothing new can be read: {lost}</Banner>}
        {table.problems.map((problem) => (
          <Banner key={problem}>Left out, as it cannot be read: {problem}</Banner>
        ))}
      </div>
      <aside class="facets">
        <Search problem={filter.problem} />
        <Ranges table={table} />
        {FACETS.map(([column, title], index) => (
          <Facet
            key={column}
            title={title}
            column={column}
            table={table}
            rows={narrowed(matching, table, chosen.with(index, null))}
            chosen={chosen[index] ?? null}
          />
        ))}
      </aside>
      <section class="listing" aria-label="episodes">
        <p class="summary">
          {rows.length === size
            ? count(size, "episode")
            : `${rows.length.toLocaleString("en")} of ${count(size, "episode")}`}
          <Outcome table={table} rows={rows} />
          {rows.length === size ? null : (
            <button type="button" class="fresh" onClick={() => go({ query: withQuery(NO_CHOICE) })}>
              show all
            </button>
          )}
          {whole ? null : <> &middot; reading on&hellip;</>}
          {fresh === null ? null : (
            <button type="button" class="fresh" onClick={() => showFresh(run)}>
              {count(fresh.columns.file?.length ?? 0, "new episode")} <kbd>n</kbd>
            </button>
          )}
        </p>
        {size === 0 ? <Empty problems={table.problems.length} run={run} /> : <Rows run={run} table={table} rows={rows} order={order} />}
      </section>
    </main>
  );
}

/** The rows that have what was chosen of each facet; null is no choice. */
function narrowed(rows: number[], table: Table, chosen: (string | null)[]): number[] {
  return FACETS.reduce((kept, [column], index) => {
    const wanted = chosen[index] ?? null;
    if (wanted === null) return kept;
    const { codes, labels } = factored(table.columns[column] ?? []);
    const code = labels.indexOf(wanted);
    return kept.filter((row) => codes[row] === code);
  }, rows);
}

function Outcome({ table, rows }: { table: Table; rows: number[] }) {
  const known = rows.filter((row) => table.columns.success?.[row] !== null);
  if (known.length === 0) return null;
  const won = known.filter((row) => table.columns.success?.[row] === true).length;
  return <> &middot; {((100 * won) / known.length).toFixed(1)}% success</>;
}

function Empty({ problems, run }: { problems: number; run: number }) {
  useKeys({ n: () => showFresh(run) });
  return (
    <p class="empty">
      {problems
        ? "None of this run's episode files can be read; the lines above say why."
        : "This run has no episodes yet. They appear here when its first train step or evaluation ends."}
    </p>
  );
}

function Search({ problem }: { problem: string | null }) {
  return (
    <label class="search">
      <span class="aside">filter</span>
      <input
        type="search"
        placeholder="turns<10 task:0012"
        value={route.value.query.get("q") ?? ""}
        aria-invalid={problem !== null}
        onInput={(event) => go({ query: withQuery({ q: event.currentTarget.value }) }, { replace: true })}
      />
      {problem ? <span class="complaint">{problem}</span> : null}
    </label>
  );
}

function Facet({ title, column, table, rows, chosen }: {
  title: string;
  column: string;
  table: Table;
  rows: number[];
  chosen: string | null;
}) {
  const counts = useMemo(() => {
    const { codes, labels } = factored(table.columns[column] ?? []);
    const numbers = new Int32Array(labels.length);
    for (const row of rows) numbers[codes[row] ?? 0]! += 1;
    return labels
      .flatMap((label, code): [string, number][] => (label === null ? [] : [[label, numbers[code] ?? 0]]))
      .filter(([, number]) => number > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }, [rows, column, table]);
  if (counts.length < 2 && chosen === null) return null;
  return (
    <fieldset class="facet">
      <legend>{title}</legend>
      <div class="values">
        {counts.map(([value, number]) => (
          <button
            type="button"
            key={value}
            aria-pressed={value === chosen}
            onClick={() => go({ query: withQuery({ [column]: value === chosen ? null : value }) })}
          >
            <span class="value">{column === "status" ? statusWords(value) : value}</span>
            <span class="number">{number.toLocaleString("en")}</span>
          </button>
        ))}
        {chosen !== null && !counts.some(([value]) => value === chosen) ? (
          <button type="button" aria-pressed onClick={() => go({ query: withQuery({ [column]: null }) })}>
            <span class="value">{chosen}</span>
            <span class="number">0</span>
          </button>
        ) : null}
      </div>
    </fieldset>
  );
}

function Rows({ run, table, rows, order }: { run: number; table: Table; rows: number[]; order: string }) {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(800);
  const cursor = useSignal(0);
  const scale = useMemo(() => largest((table.columns.advantage ?? []) as (Num | null)[]), [table]);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const watch = new ResizeObserver(() => {
      height.value = element.clientHeight;
    });
    watch.observe(element);
    return () => watch.disconnect();
  }, []);
  const at = Math.min(cursor.value, rows.length - 1);
  const move = (by: number) => {
    cursor.value = Math.max(0, Math.min(rows.length - 1, at + by));
    const wanted = cursor.value * ROW;
    const element = box.current;
    if (!element) return;
    if (wanted < element.scrollTop) element.scrollTop = wanted;
    const room = element.clientHeight - 2 * ROW;
    if (wanted > element.scrollTop + room) element.scrollTop = wanted - room;
  };
  useKeys({
    ArrowDown: () => move(1),
    j: () => move(1),
    ArrowUp: () => move(-1),
    k: () => move(-1),
    PageDown: () => move(20),
    PageUp: () => move(-20),
    Home: () => move(-rows.length),
    End: () => move(rows.length),
    Enter: () => {
      const row = rows[at];
      if (row !== undefined) location.hash = link(table, row);
    },
    n: () => showFresh(run),
    "/": () => document.querySelector<HTMLInputElement>(".search input")?.focus(),
  });
  const first = Math.max(0, Math.floor(top.value / ROW) - SPARE);
  /** Rows drawn take the places of those that are no longer: to make new ones takes longer. */
  const places = Math.ceil(height.value / ROW) + 2 * SPARE + 1;
  const last = Math.min(rows.length, Math.ceil((top.value + height.value) / ROW) + SPARE);
  return (
    <div class="rows" ref={box} tabIndex={0} onScroll={(event) => (top.value = event.currentTarget.scrollTop)}>
      <div role="table" aria-rowcount={rows.length + 1} style={{ height: `${(rows.length + 1) * ROW}px` }}>
        <div role="row" class="row header">
          {HEADS.map(([column, title, kind]) => (
            <Heading key={column} column={column} title={title} kind={kind} order={order} />
          ))}
        </div>
        {rows.length === 0 ? <p class="empty">No episode matches all that is chosen. Loosen the filter, a range or a choice, or show all.</p> : null}
        {rows.slice(first, last).map((row, index) => (
          <div
            role="row"
            aria-rowindex={first + index + 2}
            key={(first + index) % places}
            class={`row ${first + index === at ? "cursor" : ""}`}
            style={{ top: `${(first + index + 1) * ROW}px` }}
            onClick={() => (location.hash = link(table, row))}
          >
            {HEADS.map(([column, , kind]) => (
              <span role="cell" key={column} class={`cell ${kind}`}>
                {column === "file" ? (
                  <a href={link(table, row)} tabIndex={-1}>
                    {String(table.columns.file?.[row])}
                  </a>
                ) : (
                  <Value column={column} cell={table.columns[column]?.[row] ?? null} scale={scale} />
                )}
              </span>
            ))}
          </div>
        ))}
      </div>
    </div>
  );
}

function Heading({ column, title, kind, order }: { column: string; title: string; kind: string; order: string }) {
  const direction = order === column ? "ascending" : order === `-${column}` ? "descending" : "none";
  const next = direction === "none" ? column : direction === "ascending" ? `-${column}` : null;
  const arrow = { ascending: " \u2191", descending: " \u2193", none: "" }[direction];
  return (
    <span role="columnheader" aria-sort={direction} class={`cell ${kind}`}>
      <button type="button" onClick={() => go({ query: withQuery({ sort: next }) })}>
        {title}
        {arrow}
      </button>
    </span>
  );
}

function Value({ column, cell, scale }: { column: string; cell: Cell; scale: number }) {
  if (column === "status") return <Status status={String(cell)} />;
  if (column === "advantage") return <CreditBar value={cell as Num | null} scale={scale} />;
  if (column === "invalid" && cell === 0) return <>{"\u00b7"}</>;
  if (typeof cell === "number") return <>{plain(cell)}</>;
  return <>{cell === null ? "\u2013" : String(cell)}</>;
}

function link(table: Table, row: number): string {
  const cell = (column: string) => table.columns[column]?.[row];
  return href({
    run: route.value.run,
    file: String(cell("file")),
    group: Number(cell("group")),
    query: new URLSearchParams({ member: String(cell("member")) }),
  });
}
