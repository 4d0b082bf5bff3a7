// Two texts beside each other, the words in which they differ marked.
import { diffWordsWithSpace, type Change } from "diff";
import { useMemo } from "preact/hooks";

/** More differing words than this are no help to a reader, and slow to find. */
const MOST_EDITS = 1000;

/** Texts that have less than this in common are different as a whole. */
const ALIKE = 0.4;

/** What is in both, the one or the other; undefined where marks would say nothing. */
function wordsApart(one: string, other: string): Change[] | undefined {
  const parts = diffWordsWithSpace(one, other, { maxEditLength: MOST_EDITS });
  const shared = parts?.reduce((sum, part) => sum + (part.added || part.removed ? 0 : part.value.length), 0) ?? 0;
  return shared >= ALIKE * Math.max(one.length, other.length) ? parts : undefined;
}

export function Pair({ one, other }: { one: string | null; other: string | null }) {
  const parts = useMemo(
    () => (one === null || other === null ? undefined : wordsApart(one, other)),
    [one, other],
  );
  if (parts === undefined) {
    return (
      <>
        <p class="text">{one}</p>
        <p class="text">{other}</p>
      </>
    );
  }
  return (
    <>
      <p class="text">
        {parts.map((part, index) => (part.added ? null : part.removed ? <del key={index}>{part.value}</del> : part.value))}
      </p>
      <p class="text">
        {parts.map((part, index) => (part.removed ? null : part.added ? <ins key={index}>{part.value}</ins> : part.value))}
      </p>
    </>
  );
}
