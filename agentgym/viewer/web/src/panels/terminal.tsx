// A shell: every command of the episode so far with its output, as on a terminal.
import { Text } from "../text";
import type { Episode } from "../records";

export function Terminal({ episode, turn }: { episode: Episode; turn: number }) {
  return (
    <div class="terminal" tabIndex={0}>
      {episode.turns.slice(0, turn).map((each, index) => (
        <div key={index} class={index + 1 === turn ? "now" : ""}>
          <p class="command">{promptOf(each.action ?? each.text)}</p>
          {each.observation.text ? <Text text={each.observation.text} /> : null}
        </div>
      ))}
    </div>
  );
}

function promptOf(action: string): string {
  return action.startsWith("run ") ? `$ ${action.slice(4)}` : `> ${action}`;
}
