// Keys of the keyboard, for the view that is on screen.

export type Keys = Record<string, () => void>;

let current: Keys = {};

/** From now on these keys do this, but for Enter and Space on what they press anyway. */
export function useKeys(keys: Keys): void {
  current = keys;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target instanceof HTMLElement && event.target.matches("input, select, textarea");
  if (typing) {
    if (event.key === "Escape") (event.target as HTMLElement).blur();
    return;
  }
  const presses = event.key === "Enter" || event.key === " ";
  if (presses && event.target instanceof HTMLElement && event.target.matches("a, button, summary")) return;
  const action = current[event.key];
  if (action === undefined) return;
  event.preventDefault();
  action();
});
