// The page: a head with the runs, and the view that the address names.
import { render } from "preact";
import { Episodes } from "./episodes";
import { GroupView } from "./group";
import { Show } from "./parts";
import { load, type About } from "./records";
import { go, href, route } from "./route";
import "./style.css";

function Page() {
  const runs = load<About[]>("/api/runs");
  return (
    <>
      <Show from={runs} what="the list of runs">
        {(found) => {
          const { run, file, group } = route.value;
          const about = found[run];
          if (about === undefined) return <p class="waiting">There is no run {run}; open: {found.length}.</p>;
          document.title = file === null ? about.name : `${file} group ${group ?? 0} \u00b7 ${about.name}`;
          return (
            <>
              <Head runs={found} />
              {file === null ? (
                <Episodes run={run} about={about} />
              ) : (
                <GroupView run={run} file={file} group={group ?? 0} />
              )}
            </>
          );
        }}
      </Show>
    </>
  );
}

function Head({ runs }: { runs: About[] }) {
  const { run, file, group } = route.value;
  const home = href({ run, file: null, group: null, query: new URLSearchParams() });
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
        <a href={home} class={file === null ? "here" : ""}>
          {runs.length > 1 ? "episodes" : (runs[run]?.name ?? "episodes")}
        </a>
        {file === null ? null : (
          <>
            <span aria-hidden="true" class="slash">/</span>
            <span class="here">{file}</span>
            <span aria-hidden="true" class="slash">/</span>
            <span class="here">group {group ?? 0}</span>
          </>
        )}
      </nav>
    </header>
  );
}

const page = document.getElementById("page");
if (page) render(<Page />, page);
