// What a turn did in a shell, or by calling tools: each command with its answer.
import { diffLines } from "diff";
import type { Turn } from "../records";

export interface Command {
  /** As on a terminal, its sign before it. */
  prompt: string;
  /** What an edit takes out and puts in, a sign before each line; "" where nothing is edited. */
  edit: string;
  answer: string;
}

const CALL = /^([A-Za-z_]\w*) (\{.*\})$/;
const ANSWER = /<tool_response>\n([\s\S]*?)\n?<\/tool_response>/g;

/** The commands of a turn; a model may make several calls in one. */
export function commandsOf(turn: Turn): Command[] {
  const action = turn.action ?? turn.text;
  const lines = action.split("\n");
  const called = lines.map(calledBy);
  const text = turn.observation.text;
  if (called.some((each) => each === null)) return [{ prompt: promptOf(action), edit: "", answer: text }];
  const answers = [...text.matchAll(ANSWER)].map((found) => found[1] ?? "");
  const isPaired = answers.length === lines.length;
  return called.map((each, index) => ({
    prompt: each?.prompt ?? "",
    edit: each?.edit ?? "",
    answer: isPaired ? (answers[index] ?? "") : index === lines.length - 1 ? text : "",
  }));
}

function promptOf(action: string): string {
  return action.startsWith("run ") ? `$ ${action.slice(4)}` : `> ${action}`;
}

/** A line such as `edit {"path": ...}`; null where it is none. */
function calledBy(line: string): Pick<Command, "prompt" | "edit"> | null {
  const [, name, text] = CALL.exec(line) ?? [];
  const given = text === undefined ? null : read(text);
  if (name === undefined || given === null) return null;
  const { command, old, new: now, ...others } = given;
  if (typeof command === "string") return { prompt: `$ ${command}`, edit: "" };
  const words = Object.values(others).map((value) => (typeof value === "string" ? value : JSON.stringify(value)));
  const prompt = ["> " + name, ...words].join(" ");
  return { prompt, edit: typeof old === "string" && typeof now === "string" ? editOf(old, now) : "" };
}

function read(text: string): Record<string, unknown> | null {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function editOf(old: string, now: string): string {
  return diffLines(old, now)
    .map(({ value, added, removed }) => {
      const sign = added ? "+" : removed ? "-" : " ";
      return value.replace(/\n$/, "").split("\n").map((line) => `${sign}${line}`).join("\n");
    })
    .join("\n");
}
