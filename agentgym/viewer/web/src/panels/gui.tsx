// Web pages: what has a number on the page and which of it was used; places for its picture.
import type { Mark, Observation, Turn } from "../records";

const USABLE = /(\[\d+\] [a-z]+(?: "(?:[^"\\]|\\.)*")?)/;
const NUMBERED = /^\[(\d+)\] /;
const COMMAND = /^([a-z_]+)\[([\s\S]*)\]$/;
const DONE: Record<string, string> = { click: "clicked", select: "chosen", scroll: "scrolled", drag: "dragged" };

interface Gesture {
  kind: string;
  /** Numbers on the page, or places in the window. */
  at: (number | [x: number, y: number])[];
  /** What was written or chosen. */
  text: string;
}

function gestureOf(action: string | null): Gesture {
  const [, kind = "", inner = ""] = COMMAND.exec(action ?? "") ?? [];
  if (kind === "click_at") return { kind: "click", at: spotsIn(inner.replace(",", " ")), text: "" };
  if (kind === "click") return { kind, at: spotsIn(inner), text: "" };
  const [first = "", ...rest] = inner.split(", ");
  if (kind === "drag") return { kind, at: [...spotsIn(first), ...spotsIn(rest.join(" "))], text: "" };
  return { kind, at: /^\d+$/.test(first) && rest.length ? [Number(first)] : [], text: rest.join(", ") };
}

function spotsIn(text: string): Gesture["at"] {
  const [x, y] = text.trim().split(/\s+/).map(Number);
  if (x === undefined || Number.isNaN(x)) return [];
  return [y === undefined || Number.isNaN(y) ? x : [x, y]];
}

/** A page as its lines; `next` is the turn that was made on it. */
export function PageLines({ observation, next }: { observation: Observation; next: Turn | undefined }) {
  if (!USABLE.test(observation.text)) return null;
  const { kind, at, text } = gestureOf(next?.action ?? null);
  const said = kind === "type" ? `typed ${JSON.stringify(text)}` : kind === "select" ? `chosen ${JSON.stringify(text)}` : DONE[kind];
  return (
    <div class="shop gui">
      {observation.text.split("\n").map((line, index) => (
        <p key={index}>
          {line.split(USABLE).map((piece, place) => {
            const [head = "", number] = NUMBERED.exec(piece) ?? [];
            if (place % 2 === 0 || number === undefined) return piece;
            const used = at.includes(Number(number));
            return (
              <span key={place} class={`click ${used ? "clicked" : ""}`}>
                <span class="mark">{number}</span> {piece.slice(head.length)}
                {used ? <span class="mark"> {said}</span> : null}
              </span>
            );
          })}
        </p>
      ))}
    </div>
  );
}

/** Where in a picture a turn acted, as far as the picture says where things are. */
export function marksOf(observation: Observation, next: Turn | undefined): Mark[] {
  const { at } = gestureOf(next?.action ?? null);
  const boxes = observation.places?.boxes ?? {};
  return at.flatMap((each): Mark[] => {
    if (typeof each !== "number") return [{ x: each[0], y: each[1], width: 0, height: 0 }];
    const [x, y, width, height] = boxes[each] ?? [];
    return x === undefined || y === undefined ? [] : [{ x, y, width: width ?? 0, height: height ?? 0 }];
  });
}
