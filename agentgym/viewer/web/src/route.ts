// Where the reader is, kept in the address after '#', so that every view is a link.
import { signal } from "@preact/signals";

export interface Route {
  run: number;
  /** An episode file and a group in it; null on the table of episodes. */
  file: string | null;
  group: number | null;
  query: URLSearchParams;
}

function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [run, file, group] = path.split("/").map(decoded);
  return {
    run: wholeNumber(run) ?? 0,
    file: file ? file : null,
    group: wholeNumber(group),
    query: new URLSearchParams(query),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function wholeNumber(text: string | null | undefined): number | null {
  return text && /^\d+$/.test(text) ? Number(text) : null;
}

export function href(route: Route): string {
  const where = [route.run, ...(route.file === null ? [] : [route.file, route.group ?? 0])];
  const query = route.query.toString();
  return `#/${where.map((part) => encodeURIComponent(part)).join("/")}${query ? `?${query}` : ""}`;
}

export const route = signal(parse(location.hash));
addEventListener("hashchange", () => {
  route.value = parse(location.hash);
});

/** Go elsewhere; `replace` leaves no entry in the browser's history. */
export function go(to: Partial<Route>, { replace = false } = {}): void {
  const target = href({ ...route.value, ...to });
  if (replace) {
    history.replaceState(null, "", target);
    route.value = parse(target);
  } else {
    location.hash = target;
  }
}

/** The query with some keys set, or with null removed. */
export function withQuery(changes: Record<string, string | number | null>): URLSearchParams {
  const query = new URLSearchParams(route.value.query);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(key);
    else query.set(key, String(value));
  }
  return query;
}
