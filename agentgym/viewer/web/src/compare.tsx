// The members of a group side by side, turn by turn, and where each leaves the selected one.
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Selection } from "./selection";
import { count, finite, plain } from "./format";
import { CreditBar, Status } from "./parts";
import type { Episode, Group, Num, Turn } from "./records";

export function Compare({ group, advantages, titles, scale, selection }: {
  group: Group;
  advantages: (Num[] | null)[];
  /** `[place][turn - 1]`: what went into the number. */
  titles: string[][];
  scale: number;
  selection: Selection;
}) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current?.querySelector(".selected")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [selection.place, selection.turn]);
  const reference = group.members[selection.place];
  const longest = Math.max(0, ...group.members.map((member) => member.turns.length));
  const parted = group.members.map((member) => (reference ? firstDivergence(reference, member) : null));
  return (
    <div class="compare" ref={box} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col" class="corner">
              turn
            </th>
            {group.members.map((member, place) => (
              <th scope="col" key={member.member} class={place === selection.place ? "reference" : ""}>
                m{member.member} <Status status={member.status} />
                <span class="facts">
                  score {plain(member.score, 2)} &middot; {count(member.turns.length, "turn")}
                </span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row">start</th>
            {group.members.map((member) => (
              <td key={member.member} class="cell first" onClick={() => selection.select(member.member, 0)}>
                <p class="observation">{member.first?.text ?? "(reset failed)"}</p>
              </td>
            ))}
          </tr>
          {Array.from({ length: longest }, (_, index) => (
            <tr key={index}>
              <th scope="row">{index + 1}</th>
              {group.members.map((member, place) => (
                <TurnCell
                  key={member.member}
                  turn={member.turns[index]}
                  advantage={advantages[place]?.[index] ?? null}
                  title={titles[place]?.[index] ?? ""}
                  scale={scale}
                  selected={place === selection.place && index + 1 === selection.turn}
                  reference={reference?.member ?? 0}
                  parts={place !== selection.place && parted[place] === index}
                  same={place !== selection.place && index < (parted[place] ?? Infinity)}
                  onSelect={() => selection.select(member.member, index + 1)}
                />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** The first turn, from 0, at which two members act or are answered differently; null if none. */
export function firstDivergence(one: Episode, other: Episode): number | null {
  const shorter = Math.min(one.turns.length, other.turns.length);
  for (let index = 0; index < shorter; index++) {
    const [a, b] = [one.turns[index], other.turns[index]];
    if (a && b && !sameTurn(a, b)) return index;
  }
  return one.turns.length === other.turns.length ? null : shorter;
}

function sameTurn(a: Turn, b: Turn): boolean {
  return a.action === b.action && a.invalid === b.invalid && a.observation.text === b.observation.text;
}

function TurnCell({ turn, advantage, title, scale, selected, reference, parts, same, onSelect }: {
  turn: Turn | undefined;
  advantage: Num | null;
  title: string;
  scale: number;
  selected: boolean;
  reference: number;
  parts: boolean;
  same: boolean;
  onSelect: () => void;
}) {
  if (turn === undefined) return <td class="cell ended">{parts ? <p class="parts">ended</p> : null}</td>;
  const classes = ["cell", selected && "selected", parts && "parting", same && "same"];
  return (
    <td class={classes.filter(Boolean).join(" ")} onClick={onSelect}>
      {parts ? <p class="parts">leaves m{reference}</p> : null}
      <p class="action">{turn.action ?? turn.text}</p>
      {turn.invalid === null ? null : <p class="invalid">invalid: {turn.invalid}</p>}
      <p class="credits" title={title}>
        <CreditBar value={advantage} scale={scale} />
        {finite(turn.reward) === 0 ? null : <span class="reward">reward {plain(turn.reward)}</span>}
      </p>
      <p class="observation">{turn.observation.text}</p>
    </td>
  );
}
