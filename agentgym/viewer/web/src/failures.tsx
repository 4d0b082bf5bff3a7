// What went wrong in a run, alike failures together, and our failures apart from the model's.
import { load } from "./answers";
import { count, statusWords } from "./format";
import { Show } from "./parts";
import type { FailureKind, Failures } from "./records";
import { href } from "./route";

export function FailureReport({ run }: { run: number }) {
  return (
    <Show from={load<Failures>(`/api/runs/${run}/failures`)} what="what went wrong">
      {(failures) => (
        <main class="failures" data-ready="failures" tabIndex={0}>
          <Kinds
            run={run}
            title="Ours"
            note="The machinery failed. These episodes are no losses of the model: they train nothing and are in no baseline."
            kinds={failures.kinds.filter((kind) => kind.ours)}
            all={failures.episodes}
          />
          <Kinds
            run={run}
            title="The model's"
            note="How episodes ended without success, and why turns were no action."
            kinds={failures.kinds.filter((kind) => !kind.ours)}
            all={failures.episodes}
          />
        </main>
      )}
    </Show>
  );
}

function Kinds({ run, title, note, kinds, all }: {
  run: number;
  title: string;
  note: string;
  kinds: FailureKind[];
  all: number;
}) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <p class="note">{kinds.length ? note : `None in ${count(all, "episode")}.`}</p>
      {kinds.length ? (
        <table>
          <thead>
            <tr>
              <th scope="col" class="num">
                episodes
              </th>
              <th scope="col">what</th>
              <th scope="col">one of them</th>
            </tr>
          </thead>
          <tbody>
            {kinds.map((kind, index) => (
              <tr key={index}>
                <td class="num">
                  {kind.episodes.toLocaleString("en")}{" "}
                  <span class="facts">{((100 * kind.episodes) / Math.max(1, all)).toFixed(1)}%</span>
                </td>
                <td>
                  {statusWords(kind.what)}
                  {kind.turns ? <span class="facts"> {count(kind.turns, "turn")}</span> : null}
                  <p class="text">{kind.detail}</p>
                </td>
                <td>
                  <a href={linkTo(run, kind)}>
                    {kind.file} group {kind.group} m{kind.member}
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
    </section>
  );
}

function linkTo(run: number, { file, group, member, turn }: FailureKind): string {
  const query = new URLSearchParams({ view: "turn", member: String(member), turn: String(turn) });
  return href({ run, file, group, query });
}
