// The page: a head with the runs, and the view that the address names.
import { render } from "preact";
import { load, RUNS } from "./answers";
import { Episodes } from "./episodes";
import { GroupView } from "./group";
import { FailureReport } from "./failures";
import { useKeys } from "./keys";
import { Show } from "./parts";
import { Provenance } from "./provenance";
import type { About } from "./records";
import { go, href, route } from "./route";
import { Search } from "./search";
import { Versus } from "./versus";
import "./style.css";

const PAGES: [view: string | null, title: string][] = [
  [null, "episodes"],
  ["compare", "compare"],
  ["failures", "failures"],
  ["search", "search"],
  ["provenance", "provenance"],
];

function Page() {
  const runs = load<About[]>(RUNS);
  return (
    <>
      <Show from={runs} what="the list of runs">
        {(found) => {
          const { run, file, group } = route.value;
          const about = found[run];
          const view = route.value.query.get("view");
          if (about === undefined) return <p class="waiting">There is no run {run}; open: {found.length}.</p>;
          useKeys({}); // those of the view before; the one on screen sets its own
          document.title = file === null ? about.name : `${file} group ${group ?? 0} \u00b7 ${about.name}`;
          return (
            <>
              <Head runs={found} />
              {file !== null ? (
                <GroupView run={run} file={file} group={group ?? 0} about={about} />
              ) : view === "compare" ? (
                <Versus runs={found} />
              ) : view === "failures" ? (
                <FailureReport run={run} />
              ) : view === "search" ? (
                <Search run={run} />
              ) : view === "provenance" ? (
                <Provenance about={about} />
              ) : (
                <Episodes run={run} />
              )}
            </>
          );
        }}
      </Show>
    </>
  );
}

function pageOf(run: number, view: string | null): string {
  return href({ run, file: null, group: null, query: new URLSearchParams(view === null ? {} : { view }) });
}

function Head({ runs }: { runs: About[] }) {
  const { run, file, group, query } = route.value;
  const view = query.get("view");
  const home = pageOf(run, null);
  return (
    <header class="head">
      <nav aria-label="where you are">
        {runs.length > 1 ? (
          <select
            aria-label="run"
            value={run}
            onChange={(event) =>
              go({ run: Number(event.currentTarget.value), file: null, group: null, query: new URLSearchParams() })
            }
          >
            {runs.map((each, number) => (
              <option key={number} value={number}>
                {each.name}
              </option>
            ))}
          </select>
        ) : null}
        {runs.length > 1 && file === null ? null : (
          <a href={home} class={file === null ? "here" : ""}>
            {runs[run]?.name}
          </a>
        )}
        {file === null ? null : (
          <>
            <span aria-hidden="true" class="slash">/</span>
            <span class="here">{file}</span>
            <span aria-hidden="true" class="slash">/</span>
            <span class="here">group {group ?? 0}</span>
          </>
        )}
      </nav>
      {file === null ? (
        <nav aria-label="of this run">
          {PAGES.map(([name, title]) => (
            <a key={title} href={pageOf(run, name)} aria-current={view === name ? "page" : undefined}>
              {title}
            </a>
          ))}
        </nav>
      ) : null}
    </header>
  );
}

const page = document.getElementById("page");
if (page) render(<Page />, page);
