// Numbers and words as the page writes them.
import type { Num } from "./records";

/** The number for arithmetic and drawing; 0 where it is none. */
export function finite(value: Num | null | undefined): number {
  return typeof value === "number" ? value : 0;
}

export function plain(value: Num | null, digits = 3): string {
  if (value === null) return "\u2013";
  return typeof value === "number" ? String(Number(value.toFixed(digits))) : value;
}

export function signed(value: Num | null, digits = 3): string {
  if (typeof value !== "number") return plain(value);
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return "0";
  return `${value < 0 ? "\u2212" : "+"}${text}`;
}

export function largest(values: Iterable<Num | null>): number {
  let found = 0;
  for (const value of values) found = Math.max(found, Math.abs(finite(value)));
  return found;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

const STATUS: Record<string, [mark: string, words: string]> = {
  success: ["\u2713", "success"],
  failure: ["\u2717", "failure"],
  truncated_turns: ["\u2026", "out of turns"],
  truncated_tokens: ["\u2026", "out of tokens"],
  truncated_time: ["\u2026", "out of time"],
  score_error: ["!", "grader failed"],
  infra_error: ["!", "our failure"],
};

export function statusMark(status: string): string {
  return STATUS[status]?.[0] ?? "?";
}

export function statusWords(status: string): string {
  return STATUS[status]?.[1] ?? status;
}
