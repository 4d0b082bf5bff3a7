// Two texts beside each other, the words in which they differ marked.
import { diffWordsWithSpace } from "diff";
import { useMemo } from "preact/hooks";

/** More differing words than this are no help to a reader, and slow to find. */
const MOST_EDITS = 1000;

export function Pair({ one, other }: { one: string | null; other: string | null }) {
  const parts = useMemo(
    () => (one === null || other === null ? undefined : diffWordsWithSpace(one, other, { maxEditLength: MOST_EDITS })),
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
