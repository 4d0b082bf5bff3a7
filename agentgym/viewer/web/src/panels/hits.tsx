// Search: the passages that were found, what of them was new, and where the query's words stand.
import type { Episode } from "../records";

const ALL = /^<information>([\s\S]*)<\/information>$/;
const PASSAGE = /^Doc (\d+)\(Title: "?([\s\S]*?)"?\) ([\s\S]*)$/;
const CALL = /^<(search|answer)>([\s\S]*)<\/\1>$/;

interface Hit {
  rank: string;
  title: string;
  text: string;
}

function hitsOf(text: string): Hit[] {
  const [, body] = ALL.exec(text.trim()) ?? [];
  return (body?.split(/\n(?=Doc \d+\()/) ?? []).flatMap((passage) => {
    const [, rank, title, rest] = PASSAGE.exec(passage) ?? [];
    return rank === undefined ? [] : [{ rank, title: title ?? "", text: rest ?? "" }];
  });
}

/** The hits that the observation after so many turns shows; null where it shows none. */
export function Hits({ episode, at }: { episode: Episode; at: number }) {
  const turn = episode.turns[at - 1];
  const hits = hitsOf(turn?.observation.text ?? "");
  if (hits.length === 0) return null;
  const [, tag, query = ""] = CALL.exec(turn?.action ?? "") ?? [];
  const before = new Set(
    episode.turns.slice(0, at - 1).flatMap((each) => hitsOf(each.observation.text).map((hit) => hit.title)),
  );
  const words = new Set(tag === "search" ? wordsOf(query) : []);
  return (
    <div class="hits">
      {tag === "search" ? (
        <p class="query">
          {query} <span class="facts">{hits.length} found</span>
        </p>
      ) : null}
      <ol>
        {hits.map((hit) => (
          <li key={hit.rank} value={Number(hit.rank)}>
            <p class="title">
              <Marked text={hit.title} words={words} />
              {before.has(hit.title) ? <span class="facts"> read before</span> : null}
            </p>
            <p>
              <Marked text={hit.text} words={words} />
            </p>
          </li>
        ))}
      </ol>
    </div>
  );
}

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
}

function Marked({ text, words }: { text: string; words: Set<string> }) {
  const parts = text.split(/([\p{L}\p{N}]+)/u);
  return <>{parts.map((part, index) => (words.has(part.toLowerCase()) ? <b key={index}>{part}</b> : part))}</>;
}
