// Text search as the server does it, over groups that are at hand.
import type { Episode, Group, Hit, Hits } from "./records";

const SHOWN_HITS = 300;
const AROUND = 90;

export async function searched(groups: AsyncIterable<Group>, wanted: string): Promise<Hits> {
  const pattern = new RegExp(wanted.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "i");
  const result: Hits = { count: 0, episodes: 0, hits: [] };
  for await (const group of groups) {
    for (const member of group.members) {
      let found = false;
      for (const { part, text, turn } of textsOf(member)) {
        const match = pattern.exec(text);
        if (match === null) continue;
        found = true;
        result.count += 1;
        if (result.hits.length >= SHOWN_HITS) continue;
        const end = match.index + match[0].length;
        const left = Math.max(0, match.index - AROUND);
        const hit: Hit = {
          file: group.file,
          group: group.group,
          member: member.member,
          turn,
          part,
          before: (left ? "..." : "") + text.slice(left, match.index),
          found: match[0],
          after: text.slice(end, end + AROUND) + (end + AROUND < text.length ? "..." : ""),
        };
        result.hits.push(hit);
      }
      result.episodes += Number(found);
    }
  }
  return result;
}

function* textsOf(episode: Episode): Generator<{ part: string; text: string; turn: number }> {
  if (episode.first) yield { part: "observation", text: episode.first.text, turn: 0 };
  for (const [index, { text, observation }] of episode.turns.entries()) {
    yield { part: "text", text, turn: index + 1 };
    yield { part: "observation", text: observation.text, turn: index + 1 };
  }
  if (episode.error) yield { part: "error", text: episode.error.message, turn: episode.turns.length };
}
