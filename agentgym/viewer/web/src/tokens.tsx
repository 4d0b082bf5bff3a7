// The tokens of a turn: what was put in, and what was sampled, shaded by what is known of each.
import { finite, largest, plain, signed } from "./format";
import type { Num, Turn } from "./records";
import { go, route, wholeNumber, withQuery } from "./route";

/** Surprise in nats at which a token is as dark as it gets. */
const DARKEST = 4;
/** Longer prompts begin folded. */
const SHORT_PROMPT = 160;

/** What is known of each sampled token; `null` where nothing is. */
interface Known {
  logprobs: (Num | null)[];
  /** The model's probability over the sampler's, which the loss corrects with. */
  ratios: number[] | null;
  advantages: Num[] | null;
  values: Num[] | null;
}

interface Shade {
  title: string;
  /** From -1 to 1; negative only for credit below zero. */
  heats: number[];
  /** What a heat means. */
  legend: [text: string, heat: number][];
  isCredit?: boolean;
}

export function Tokens({ turn, pieces, advantages }: {
  turn: Turn;
  pieces: Record<string, string> | null;
  advantages: Num[] | null;
}) {
  const { query } = route.value;
  const chosen = wholeNumber(query.get("token"));
  const text = (id: number) => pieces?.[id] ?? `\u27e8${id}\u27e9`;
  const known = { logprobs: turn.logprobs, ratios: ratiosOf(turn), advantages, values: turn.values };
  const shades = shadesOf(known);
  const name = query.get("shade") ?? "";
  const shade = shades[name] ?? shades.surprise!;
  const chosenId = chosen === null ? undefined : turn.action_ids[chosen - 1];
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
      <p class={`run sampled ${shade.isCredit ? "by-credit" : ""}`}>
        {turn.action_ids.map((id, index) => (
          <span
            key={index}
            class={tokenClass(shade.heats[index] ?? 0, index + 1 === chosen)}
            onClick={() => go({ query: withQuery({ token: index + 1 === chosen ? null : index + 1 }) }, { replace: true })}
            style={{ "--heat": Math.abs(shade.heats[index] ?? 0).toFixed(3) }}
            title={tokenTitle(id, index, known)}
          >
            {visible(text(id))}
          </span>
        ))}
      </p>
      {chosen !== null && chosenId !== undefined ? (
        <p class="facts">
          token {chosen}: {tokenTitle(chosenId, chosen - 1, known)}
        </p>
      ) : null}
      <Legend shades={shades} shade={shade} />
    </section>
  );
}

function Legend({ shades, shade }: { shades: Record<string, Shade>; shade: Shade }) {
  const names = Object.keys(shades);
  return (
    <p class={`legend ${shade.isCredit ? "by-credit" : ""}`}>
      {names.length > 1 ? (
        <label>
          shaded by{" "}
          <select
            value={names.find((name) => shades[name] === shade)}
            onChange={({ currentTarget: { value } }) =>
              go({ query: withQuery({ shade: value === names[0] ? null : value }) }, { replace: true })
            }
          >
            {names.map((name) => (
              <option key={name} value={name}>
                {shades[name]?.title}
              </option>
            ))}
          </select>
        </label>
      ) : null}
      {shade.legend.map(([text, heat]) => (
        <span key={text} class={tokenClass(heat, false)} style={{ "--heat": String(Math.abs(heat)) }}>
          {text}
        </span>
      ))}
      <span class="unsampled">not sampled</span>
    </p>
  );
}

/** Each way to shade these tokens, by the name that the address has for it. */
function shadesOf({ logprobs, ratios, advantages, values }: Known): Record<string, Shade> {
  const shades: Record<string, Shade> = {
    surprise: {
      title: "surprise",
      heats: logprobs.map((each) => capped(Math.abs(finite(each)) / DARKEST)),
      legend: [["likely", 0], ["logprob \u22122", 0.5], ["\u22124 or less", 1]],
    },
  };
  if (ratios) {
    shades.ratio = {
      title: "ratio of model to sampler",
      heats: ratios.map((each) => capped(Math.abs(Math.log2(each)))),
      legend: [["1", 0], ["\u00bd or less, 2 or more", 1]],
    };
  }
  if (advantages) {
    const most = largest(advantages);
    shades.credit = {
      title: "credit",
      heats: advantages.map((each) => (most > 0 ? finite(each) / most : 0)),
      legend: most > 0 ? [[signed(-most), -1], ["0", 0], [signed(most), 1]] : [["0", 0]],
      isCredit: true,
    };
  }
  if (values) {
    const most = largest(values);
    shades.critic = {
      title: "critic",
      heats: values.map((each) => (most > 0 ? Math.abs(finite(each)) / most : 0)),
      legend: [["0", 0], [`${plain(most)} from 0`, 1]],
    };
  }
  return shades;
}

/** Where the sampler drew by the model's own distribution there are none: they would all be 1. */
function ratiosOf({ kept, temperature, logprobs }: Turn): number[] | null {
  if (kept === null || typeof temperature !== "number" || temperature <= 0) return null;
  return kept.map((mass, index) => Math.exp((1 - 1 / temperature) * finite(logprobs[index])) * finite(mass));
}

function capped(heat: number): number {
  return Number.isNaN(heat) ? 0 : Math.min(1, heat);
}

function tokenClass(heat: number, isChosen: boolean): string {
  return `token ${heat < 0 ? "below" : ""} ${isChosen ? "chosen-token" : ""}`;
}

function tokenTitle(id: number, index: number, { logprobs, ratios, advantages, values }: Known): string {
  const logprob = logprobs[index] ?? null;
  const ratio = ratios?.[index];
  const parts = [`id ${id}`, `logprob ${plain(logprob, 4)}`];
  if (typeof logprob === "number") {
    const chance = 100 * Math.exp(logprob);
    parts.push(`${chance.toPrecision(3)}%`);
    if (ratio) parts.push(`drawn with ${(chance / ratio).toPrecision(3)}%, ratio ${ratio.toPrecision(3)}`);
  }
  if (advantages) parts.push(`advantage ${signed(advantages[index] ?? null)}`);
  if (values) parts.push(`critic ${plain(values[index] ?? null)}`);
  return parts.join(", ");
}

/** The text with its line ends to be seen. */
function visible(text: string): string {
  return text.replaceAll("\n", "\u21b5\n");
}
