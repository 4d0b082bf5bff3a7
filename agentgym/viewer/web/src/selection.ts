/** The turn that all views show, and how to select another. */
export interface Selection {
  /** A place in `group.members`. */
  place: number;
  /** From 1; 0 is the first observation. */
  turn: number;
  select: (member: number, turn: number) => void;
}
