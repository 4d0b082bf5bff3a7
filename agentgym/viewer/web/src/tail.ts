// The table of a run's episodes as it grows: read in parts, then followed while the run goes on.
import { signal, type Signal } from "@preact/signals";
import { forgetAll, type Loaded } from "./answers";
import { ask, isExported } from "./archive";
import type { Cell, Table } from "./records";

interface Part extends Table {
  /** All of it, as files that were given before are no longer what they were. */
  anew: boolean;
  more: boolean;
  next: string;
}

export interface Tail {
  table: Table;
  /** Whether the run was read to its end. */
  whole: boolean;
  /** What came since then, and is not in the table yet. */
  fresh: Table | null;
  /** Why nothing new can come. */
  lost: string | null;
}

const PAUSE_MS = 2000;
const tails = new Map<number, Signal<Loaded<Tail>>>();

/** A run's table; components that read it are drawn again when it grows. */
export function tailOf(run: number): Loaded<Tail> {
  let found = tails.get(run);
  if (found === undefined) {
    found = signal<Loaded<Tail>>({ state: "loading" });
    tails.set(run, found);
    void follow(run, found);
  }
  return found.value;
}

/** Put into a run's table what came since it was read. */
export function showFresh(run: number): void {
  const found = tails.get(run);
  if (found?.value.state !== "ready" || found.value.value.fresh === null) return;
  forgetAll();
  const { table, fresh } = found.value.value;
  found.value = { state: "ready", value: { ...found.value.value, table: joined(table, fresh), fresh: null } };
}

async function follow(run: number, target: Signal<Loaded<Tail>>): Promise<void> {
  let next = "";
  for (;;) {
    let pause = PAUSE_MS;
    try {
      const part = (await ask(`/api/runs/${run}/episodes${next ? `?after=${next}` : ""}`)) as Part;
      take(part, target);
      next = part.next;
      if (part.more) pause = 0;
      else if (isExported) return;
    } catch (error) {
      const why = (error as Error).message;
      const known = target.peek();
      target.value =
        known.state === "ready"
          ? { state: "ready", value: { ...known.value, lost: why } }
          : { state: "failed", error: why };
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
    await visible();
  }
}

function take(part: Part, target: Signal<Loaded<Tail>>): void {
  const known = target.peek();
  const before = known.state === "ready" ? known.value : null;
  if (before === null || part.anew) {
    if (before) forgetAll();
    target.value = { state: "ready", value: { table: part, whole: !part.more, fresh: null, lost: null } };
    return;
  }
  const grew = (part.columns.file?.length ?? 0) > 0 || part.problems.length > 0;
  if (!grew && before.whole === !part.more && before.lost === null) return;
  const value: Tail = { ...before, lost: null };
  const isEmpty = before.table.columns.file?.length === 0;
  if (!before.whole || isEmpty) Object.assign(value, { table: joined(before.table, part), whole: !part.more });
  else if (grew) value.fresh = before.fresh ? joined(before.fresh, part) : part;
  target.value = { state: "ready", value };
}

function joined(first: Table, second: Table): Table {
  const columns: Record<string, Cell[]> = {};
  for (const [name, cells] of Object.entries(first.columns)) columns[name] = cells.concat(second.columns[name] ?? []);
  return { columns, problems: [...first.problems, ...second.problems] };
}

/** Resolves at once, or when the reader comes back to this page. */
function visible(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((resolve) => document.addEventListener("visibilitychange", () => resolve(), { once: true }));
}
