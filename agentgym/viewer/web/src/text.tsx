// Text as the model saw or wrote it; unified diffs in it keep their signs and get their shades.

const HUNK = /^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@/m;

export function Text({ text, class: name = "" }: { text: string; class?: string }) {
  return HUNK.test(text) ? <Diff text={text} class={name} /> : <p class={`text ${name}`}>{text}</p>;
}

export function Diff({ text, class: name = "" }: { text: string; class?: string }) {
  return (
    <div class={`text diff ${name}`}>
      {text.split("\n").map((line, index) => (
        <span key={index} class={`line ${kindOf(line)}`}>
          {`${line}\n`}
        </span>
      ))}
    </div>
  );
}

function kindOf(line: string): string {
  if (/^(?:diff |index |--- |\+\+\+ )/.test(line)) return "file";
  if (line.startsWith("@@")) return "hunk";
  return line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "";
}
