// Where a run comes from: its recipe, its environment, when it was begun and gone on with, its report.
import type { About } from "./records";

export function Provenance({ about }: { about: About }) {
  return (
    <main class="provenance" data-ready="provenance" tabIndex={0}>
      {about.provenance.map(([title, text]) => (
        <details key={title} open>
          <summary>{title}</summary>
          <pre>{text}</pre>
        </details>
      ))}
    </main>
  );
}
