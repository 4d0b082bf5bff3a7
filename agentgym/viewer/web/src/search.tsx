// Text in the turns of a run: where it stands, with what stands around it.
import { load } from "./answers";
import { count } from "./format";
import { Show } from "./parts";
import type { Hit, Hits } from "./records";
import { go, href, route, withQuery } from "./route";

const PARTS: Record<string, string> = { action: "did", text: "wrote", observation: "saw", error: "error" };

export function Search({ run }: { run: number }) {
  const text = route.value.query.get("text") ?? "";
  return (
    <main class="found" data-ready={text ? undefined : "search"}>
      <form
        class="ask"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          go({ query: withQuery({ text: String(new FormData(event.currentTarget).get("text")) }) });
        }}
      >
        <input type="search" name="text" aria-label="text" placeholder="text of any turn, as it stands there" value={text} autoFocus />
        <button type="submit">search</button>
      </form>
      {text ? (
        <Show from={load<Hits>(`/api/runs/${run}/search?text=${encodeURIComponent(text)}`)} what="the texts of this run">
          {(hits) => <Found run={run} hits={hits} />}
        </Show>
      ) : (
        <p class="empty">
          Searches what the model wrote, what it saw and how errors read; capitals count as small letters.
        </p>
      )}
    </main>
  );
}

function Found({ run, hits }: { run: number; hits: Hits }) {
  return (
    <section class="hitlist" data-ready="search" tabIndex={0} aria-label="hits">
      <p class="summary">
        {hits.count === 0
          ? "Nowhere in this run."
          : `In ${count(hits.count, "text")} of ${count(hits.episodes, "episode")}`}
        {hits.count > hits.hits.length ? `; the first ${hits.hits.length} are shown.` : null}
      </p>
      <ul>
        {hits.hits.map((hit, index) => (
          <li key={index}>
            <a href={linkTo(run, hit)}>
              {hit.file} group {hit.group} m{hit.member} turn {hit.turn}
            </a>{" "}
            <span class="facts">{PARTS[hit.part] ?? hit.part}</span>
            <p class="text">
              {hit.before}
              <b>{hit.found}</b>
              {hit.after}
            </p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function linkTo(run: number, { file, group, member, turn }: Hit): string {
  const query = new URLSearchParams({ view: "turn", member: String(member), turn: String(turn) });
  return href({ run, file, group, query });
}
