// The table's filter: words, and terms such as `turns<10`, `status:failure`, `-task:kitchen`.
import type { Cell, Table } from "./records";

export interface Filter {
  test: (row: number) => boolean;
  /** What cannot be understood; such a filter lets everything through. */
  problem: string | null;
}

const TERM = /^(-?)(?:([A-Za-z_]+)(:|!=|<=|>=|=|<|>))?("?)(.*?)\4$/s;
const SEARCHED = ["file", "task_id", "status", "env", "error"];
const ALIASES: Record<string, string> = { task: "task_id", policy: "policy_version" };

export function parseFilter(text: string, table: Table): Filter {
  const tests: ((row: number) => boolean)[] = [];
  for (const word of text.match(/(?:[^\s"]|"[^"]*"?)+/g) ?? []) {
    const [, minus = "", field, operator = ":", , operand = ""] = TERM.exec(word) ?? [];
    const found = term(table, field, operator, operand);
    if (typeof found === "string") return { test: () => true, problem: found };
    tests.push(minus ? (row) => !found(row) : found);
  }
  return { test: (row) => tests.every((test) => test(row)), problem: null };
}

function term(
  table: Table,
  field: string | undefined,
  operator: string,
  operand: string,
): ((row: number) => boolean) | string {
  const wanted = operand.toLowerCase();
  if (field === undefined) {
    const tests = SEARCHED.map((name) => byLabel(table.columns[name] ?? [], (label) => label.includes(wanted)));
    return (row) => tests.some((test) => test(row));
  }
  const column = table.columns[ALIASES[field] ?? field];
  if (column === undefined) {
    return `there is no column '${field}'; there are ${Object.keys(table.columns).join(", ")}`;
  }
  if (operator === ":") return byLabel(column, (label) => label.includes(wanted));
  if (operator === "=") return byLabel(column, (label) => label === wanted);
  if (operator === "!=") return byLabel(column, (label) => label !== wanted);
  const bound = Number(operand);
  if (operand === "" || Number.isNaN(bound)) return `'${field}${operator}' needs a number`;
  return (row) => compares(column[row], operator, bound);
}

function compares(cell: Cell | undefined, operator: string, bound: number): boolean {
  if (cell === null || cell === undefined) return false;
  const value = Number(cell);
  if (operator === "<") return value < bound;
  if (operator === "<=") return value <= bound;
  if (operator === ">") return value > bound;
  return value >= bound;
}

/** A column as its different values, and each row's place among them. */
interface Factored {
  codes: Int32Array;
  /** null where a cell has no value. */
  labels: (string | null)[];
}

const known = new WeakMap<Cell[], Factored>();

/** Made once for a column: what is compared or counted then, is few values and not many rows. */
export function factored(column: Cell[]): Factored {
  let found = known.get(column);
  if (found === undefined) {
    const places = new Map<Cell, number>();
    const codes = Int32Array.from(column, (cell) => {
      const place = places.get(cell) ?? places.size;
      places.set(cell, place);
      return place;
    });
    found = { codes, labels: [...places.keys()].map((cell) => (cell === null ? null : String(cell))) };
    known.set(column, found);
  }
  return found;
}

function byLabel(column: Cell[], test: (label: string) => boolean): (row: number) => boolean {
  const { codes, labels } = factored(column);
  const passes = labels.map((label) => test(label === null ? "none" : label.toLowerCase()));
  return (row) => passes[codes[row] ?? -1] ?? false;
}

/** Rows in the order of a column; `-name` is downwards, and what is missing comes last. */
export function sortRows(rows: number[], table: Table, order: string): number[] {
  const down = order.startsWith("-");
  const column = table.columns[down ? order.slice(1) : order];
  if (column === undefined) return rows;
  const sign = down ? -1 : 1;
  return rows.toSorted((a, b) => {
    const [left, right] = [column[a] ?? null, column[b] ?? null];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return sign * (left < right ? -1 : left > right ? 1 : 0);
  });
}
