// A shell and its tools: every command of the episode so far with its answer, as on a terminal.
import { Diff, Text } from "../text";
import type { Episode, Turn } from "../records";
import { commandsOf, type Command } from "./calls";

export function Terminal({ episode, turn }: { episode: Episode; turn: number }) {
  return (
    <div class="terminal" tabIndex={0}>
      {episode.turns.slice(0, turn).map((each, index) => (
        <div key={index} class={index + 1 === turn ? "now" : ""}>
          {commandsOf(each).map((command, place) => (
            <div key={place}>
              <Prompt command={command} />
              {command.answer ? <Text text={command.answer} /> : null}
            </div>
          ))}
        </div>
      ))}
    </div>
  );
}

/** What was done, without its answer. */
export function Commands({ turn }: { turn: Turn }) {
  return (
    <div class="commands">
      {commandsOf(turn).map((command, index) => (
        <Prompt key={index} command={command} />
      ))}
    </div>
  );
}

function Prompt({ command }: { command: Command }) {
  return (
    <>
      <p class="command">{command.prompt}</p>
      {command.edit ? <Diff text={command.edit} /> : null}
    </>
  );
}
