// What grading found beside the score, in the order it was told.

export function Graded({ facts }: { facts: Record<string, unknown> }) {
  return (
    <dl class="graded">
      {Object.entries(facts).map(([name, value]) => (
        <>
          <dt>{name}</dt>
          <dd>
            <Fact value={value} />
          </dd>
        </>
      ))}
    </dl>
  );
}

function Fact({ value }: { value: unknown }) {
  if (value === null || value === "") return <>{"\u2013"}</>;
  if (typeof value !== "object") return <>{String(value)}</>;
  const parts = Object.entries(value).map(([name, each]) => {
    const text = typeof each === "string" ? each : JSON.stringify(each);
    return Array.isArray(value) ? text : `${name}: ${text}`;
  });
  return parts.length ? <p class="text">{parts.join("\n")}</p> : <>none</>;
}
