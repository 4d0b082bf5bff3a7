// Where answers come from: the viewer's server or, in an exported file, the file itself.

import type { Group } from "./records";
import { searched } from "./searched";

interface Archive {
  /** Address -> the server's answer: JSON, gzipped, in base64. */
  answers: Record<string, string>;
  /** Address -> why there is no answer. */
  errors: Record<string, string>;
  /** Address -> a picture as a data URL. */
  pictures: Record<string, string>;
}

const text = document.getElementById("archive")?.textContent;
const archive = text ? (JSON.parse(text) as Archive) : null;

/** Whether this page is an exported file, without a server. */
export const isExported = archive !== null;

/** The answer at an address; what is thrown says in words why there is none. */
export async function ask(path: string): Promise<unknown> {
  return archive === null ? await fetched(path) : await unpacked(archive, path);
}

export function pictureAt(path: string): string {
  return archive === null ? path : (archive.pictures[path] ?? "");
}

async function fetched(path: string): Promise<unknown> {
  const response = await fetch(path).catch(() => {
    throw new Error("the viewer's server did not answer; is 'agentgym view' still running?");
  });
  const body: unknown = await response.json().catch(() => {
    throw new Error(`the server failed on this (${response.status}); its terminal says why`);
  });
  if (!response.ok) throw new Error((body as { error: string }).error);
  return body;
}

async function unpacked(archive: Archive, path: string): Promise<unknown> {
  const [, text] = /\/search\?text=(.*)$/.exec(path) ?? [];
  if (text !== undefined) return await searched(groupsOf(archive), decodeURIComponent(text));
  const packed = archive.answers[path];
  if (packed === undefined) throw new Error(archive.errors[path] ?? "this was not exported");
  const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return await new Response(stream).json();
}

async function* groupsOf(archive: Archive): AsyncGenerator<Group> {
  for (const path of Object.keys(archive.answers)) {
    if (/\/groups\/\d+$/.test(path)) yield (await unpacked(archive, path)) as Group;
  }
}
