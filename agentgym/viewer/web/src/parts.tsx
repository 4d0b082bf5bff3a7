// Small pieces that several views use.
import type { ComponentChildren } from "preact";
import type { Loaded } from "./answers";
import { finite, signed, statusMark, statusWords } from "./format";
import type { Num } from "./records";

/** Credit as a bar to the left or right of a middle line. */
export function CreditBar({ value, scale, digits = 3 }: { value: Num | null; scale: number; digits?: number }) {
  if (value === null) return <span class="credit none" title="no credit">{"\u2013"}</span>;
  const share = scale > 0 ? Math.min(1, Math.abs(finite(value)) / scale) : 0;
  const side = finite(value) < 0 ? "minus" : "plus";
  return (
    <span class="credit">
      <span class="track" aria-hidden="true">
        <span class={`fill ${side}`} style={{ width: `${share * 50}%` }} />
      </span>
      <span class="number">{signed(value, digits)}</span>
    </span>
  );
}

export function Status({ status, words = true }: { status: string; words?: boolean }) {
  return (
    <span class={`status ${status}`} title={statusWords(status)}>
      <span aria-hidden="true">{statusMark(status)}</span>
      {words ? ` ${statusWords(status)}` : <span class="aside">{statusWords(status)}</span>}
    </span>
  );
}

export function Banner({ children }: { children: ComponentChildren }) {
  return (
    <div class="banner" role="alert">
      {children}
    </div>
  );
}

/** What was loaded, or why it is not there. */
export function Show<T>({ from, what, children }: {
  from: Loaded<T>;
  what: string;
  children: (value: T) => ComponentChildren;
}) {
  if (from.state === "loading") return <p class="waiting">Reading {what}&hellip;</p>;
  if (from.state === "failed") {
    return (
      <Banner>
        Could not read {what}: {from.error}
      </Banner>
    );
  }
  return <>{children(from.value)}</>;
}
