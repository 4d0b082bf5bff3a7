// What the page has asked for so far.
import { signal, type Signal } from "@preact/signals";

import { ask } from "./archive";

/** What is known of an answer: nothing yet, the value, or why there is none. */
export type Loaded<T> = { state: "loading" } | { state: "ready"; value: T } | { state: "failed"; error: string };

/** The address of the list of runs, which stays. */
export const RUNS = "/api/runs";
const KEPT = 24;
const answers = new Map<string, Signal<Loaded<unknown>>>();

/** The answer at an address, fetched once; components that read it are drawn again with it. */
export function load<T>(path: string): Loaded<T> {
  let found = answers.get(path);
  if (found === undefined) {
    found = signal<Loaded<unknown>>({ state: "loading" });
    answers.set(path, found);
    const oldest = [...answers.keys()].find((each) => each !== RUNS);
    if (answers.size > KEPT && oldest !== undefined) answers.delete(oldest);
    void fetchInto(path, found);
  }
  return found.value as Loaded<T>;
}

/** Ask again for what is read of the runs. */
export function forgetAll(): void {
  for (const path of [...answers.keys()]) if (path !== RUNS) answers.delete(path);
}

async function fetchInto(path: string, target: Signal<Loaded<unknown>>): Promise<void> {
  try {
    target.value = { state: "ready", value: await ask(path) };
  } catch (error) {
    target.value = { state: "failed", error: (error as Error).message };
  }
}
