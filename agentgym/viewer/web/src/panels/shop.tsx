// WebShop: the page as its pieces, what can be clicked on it, and what was.
import type { Episode } from "../records";

const PRODUCT = /^(?:B0[A-Z0-9]{8}|\d{9}[\dX])$/i;
const BUTTON = /^\s*\[(clicked )?button\] ([\s\S]*?) \[(?:clicked )?button_\]\s*$/;

interface Piece {
  text: string;
  button: boolean;
  chosen: boolean;
}

/** The pieces of a page in either of WebShop's text modes. */
function piecesOf(text: string, choices: string[]): Piece[] {
  if (!text.includes(" [SEP] ")) {
    return text.split("\n").flatMap((line): Piece[] => {
      const [, chosen, label] = BUTTON.exec(line) ?? [];
      if (label !== undefined) return [{ text: label, button: true, chosen: chosen !== undefined }];
      return line.trim() ? [{ text: line.trim(), button: false, chosen: false }] : [];
    });
  }
  const clickable = new Set(choices.map((choice) => choice.toLowerCase()));
  return text.split(" [SEP] ").map((piece) => ({
    text: piece,
    button: clickable.has(`click[${piece.toLowerCase()}]`),
    chosen: false,
  }));
}

/** The page that the observation after so many turns shows; `acted`: what was done on it, if that is to be seen. */
export function ShopPage({ episode, at, acted }: { episode: Episode; at: number; acted: boolean }) {
  const observation = at === 0 ? episode.first : episode.turns[at - 1]?.observation;
  const pieces = piecesOf(observation?.text ?? "", observation?.choices ?? []);
  if (!pieces.some((piece) => piece.text.startsWith("Instruction:"))) return null;
  const action = acted ? (episode.turns[at]?.action ?? "") : "";
  const [, clicked] = /^click\[([\s\S]*)\]$/.exec(action) ?? [];
  const [, searched] = /^search\[([\s\S]*)\]$/.exec(action) ?? [];
  const chosen = chosenBefore(episode, at);
  return (
    <div class="shop">
      {searched === undefined ? null : (
        <p class="query">
          {searched} <span class="facts">searched</span>
        </p>
      )}
      {linesOf(pieces).map((line, index) => (
        <p key={index}>
          {line.map((piece, place) =>
            piece.button ? (
              <span key={place} class={`click ${piece.text.toLowerCase() === clicked ? "clicked" : ""}`}>
                {piece.text}
                {piece.chosen || chosen.has(piece.text.toLowerCase()) ? <span class="mark"> chosen</span> : null}
                {piece.text.toLowerCase() === clicked ? <span class="mark"> clicked</span> : null}
              </span>
            ) : (
              <span key={place}>{piece.text} </span>
            ),
          )}
        </p>
      ))}
    </div>
  );
}

/** Buttons stand beside the text before them; a product's link begins a line of its own. */
function linesOf(pieces: Piece[]): Piece[][] {
  const lines: Piece[][] = [];
  let last: Piece | undefined;
  for (const piece of pieces) {
    const joins = piece.button ? !isProduct(piece) : last?.button && isProduct(last) ? true : isPrice(piece);
    if (joins && lines.length) lines.at(-1)?.push(piece);
    else lines.push([piece]);
    last = piece;
  }
  return lines;
}

function isProduct(piece: Piece): boolean {
  return piece.button && PRODUCT.test(piece.text);
}

function isPrice(piece: Piece): boolean {
  return /^\$\d/.test(piece.text);
}

/** What was clicked since the item's page was opened: in plain text mode the page does not say it. */
function chosenBefore(episode: Episode, at: number): Set<string> {
  const found = new Set<string>();
  for (const turn of episode.turns.slice(0, at)) {
    const [, name] = /^click\[([\s\S]*)\]$/.exec(turn.action ?? "") ?? [];
    if (name === undefined || PRODUCT.test(name) || /^(back to search|< prev|next >)$/.test(name)) found.clear();
    else if (!/^(description|features|reviews|attributes|buy now)$/.test(name)) found.add(name);
  }
  return found;
}
