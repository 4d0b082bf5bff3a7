// The tokens of a turn: what was put in, and what was sampled, the unlikelier the darker.
import { finite, plain, signed } from "./format";
import type { Num, Turn } from "./records";
import { go, route, wholeNumber, withQuery } from "./route";

/** Surprise in nats at which a token is as dark as it gets. */
const DARKEST = 4;
/** Longer prompts begin folded. */
const SHORT_PROMPT = 160;

export function Tokens({ turn, pieces, advantages }: {
  turn: Turn;
  pieces: Record<string, string> | null;
  advantages: Num[] | null;
}) {
  const chosen = wholeNumber(route.value.query.get("token"));
  const text = (id: number) => pieces?.[id] ?? `\u27e8${id}\u27e9`;
  return (
    <section class="tokens" aria-label="tokens">
      <h3>
        Tokens <span class="facts">{turn.prompt_ids.length} put in, {turn.action_ids.length} sampled</span>
      </h3>
      {pieces === null ? <p class="note">No tokenizer in this run's checkpoints; token ids are shown.</p> : null}
      <details open={turn.prompt_ids.length <= SHORT_PROMPT}>
        <summary>put in, not trained</summary>
        <p class="run unsampled">
          {turn.prompt_ids.map((id, index) => (
            <span key={index} title={`id ${id}, not sampled`}>
              {visible(text(id))}
            </span>
          ))}
        </p>
      </details>
      <p class="run sampled">
        {turn.action_ids.map((id, index) => {
          const logprob = turn.logprobs[index] ?? null;
          const heat = Math.min(1, Math.abs(finite(logprob)) / DARKEST);
          return (
            <span
              key={index}
              class={`token ${index + 1 === chosen ? "chosen-token" : ""}`}
              onClick={() => go({ query: withQuery({ token: index + 1 === chosen ? null : index + 1 }) }, { replace: true })}
              style={{ "--heat": heat.toFixed(3) }}
              title={tokenTitle(id, logprob, advantages?.[index] ?? null)}
            >
              {visible(text(id))}
            </span>
          );
        })}
      </p>
      {chosen !== null && turn.action_ids[chosen - 1] !== undefined ? (
        <p class="facts">
          token {chosen}:{" "}
          {tokenTitle(turn.action_ids[chosen - 1] ?? 0, turn.logprobs[chosen - 1] ?? null, advantages?.[chosen - 1] ?? null)}
        </p>
      ) : null}
      <p class="legend">
        <span class="token" style={{ "--heat": "0" }}>likely</span>
        <span class="token" style={{ "--heat": "0.5" }}>logprob &minus;2</span>
        <span class="token" style={{ "--heat": "1" }}>&minus;4 or less</span>
        <span class="unsampled">not sampled</span>
      </p>
    </section>
  );
}

function tokenTitle(id: number, logprob: Num | null, advantage: Num | null): string {
  const chance = typeof logprob === "number" ? `, ${(100 * Math.exp(logprob)).toPrecision(3)}%` : "";
  const credit = advantage === null ? "" : `, advantage ${signed(advantage)}`;
  return `id ${id}, logprob ${plain(logprob, 4)}${chance}${credit}`;
}

/** The text with its line ends to be seen. */
function visible(text: string): string {
  return text.replaceAll("\n", "\u21b5\n");
}
