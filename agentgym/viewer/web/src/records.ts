// What the server sends.

/** A number; those that JSON lacks come as "NaN", "Infinity" and "-Infinity". */
export type Num = number | "NaN" | "Infinity" | "-Infinity";

export interface About {
  name: string;
  /** The command that prints an episode, without saying which. */
  replay: string;
  /** What the run's folder says of where it comes from: title and text. */
  provenance: [title: string, text: string][];
}

export type Cell = Num | string | boolean | null;

export interface Table {
  columns: Record<string, Cell[]>;
  /** One line for each file that cannot be read. */
  problems: string[];
}

export interface Observation {
  text: string;
  choices: string[] | null;
  /** Whether there is a picture to ask for. */
  image: boolean;
  /** What the picture says of the window it is of; null where it says nothing. */
  places: Places | null;
  key: string;
  state: string;
}

/** The pictured window's size, and where what can be used on it stands, by number; CSS pixels. */
export interface Places {
  width: number;
  height: number;
  boxes: Record<string, [x: number, y: number, width: number, height: number]>;
}

/** A box in a pictured window, or, without a width, a point. */
export interface Mark {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Turn {
  segment: number;
  prompt_ids: number[];
  action_ids: number[];
  logprobs: Num[];
  finish: string;
  text: string;
  action: string | null;
  invalid: string | null;
  observation: Observation;
  reward: Num;
  channels: Record<string, Num | null>;
  values: Num[] | null;
  temperature: Num;
  /** The mass that the sampler chose among, by token; null where it drew as the model has it. */
  kept: Num[] | null;
  seconds: Num;
}

export interface Episode {
  member: number;
  status: string;
  success: boolean | null;
  score: Num | null;
  valid: boolean;
  seed: string;
  env: string;
  policy_version: number;
  panel_hash: string;
  system_prompt: string;
  error: EpisodeError | null;
  first: Observation | null;
  turns: Turn[];
  advantages: Num[] | null;
  token_advantages: Num[][] | null;
  /** What grading found beside the score. */
  facts: Record<string, unknown>;
}

export interface EpisodeError {
  type: string;
  phase: string;
  message: string;
  /** What the model wrote in the turn that failed; null where nothing was being answered. */
  action: string | null;
  /** The last frames of what was raised; "" where there are none. */
  trace: string;
}

export interface Group {
  file: string;
  group: number;
  /** The numbers of the groups in this file. */
  groups: number[];
  task_id: string;
  members: Episode[];
  /** Token id to text; null without a tokenizer. */
  pieces: Record<string, string> | null;
}

export interface Credit {
  scheme: string;
  /** What it computes, in the words of its source. */
  says: string;
  /** What it looks at: "outcome", "turn", "states", "values", "batch", and reward channels. */
  reads: string[];
  /** Every setting with its value. */
  constants: Record<string, unknown>;
  /** The run's own scheme. */
  used: string;
  schemes: string[];
  /** The largest, over all turns of the train step. */
  difference: Num;
  turns: number;
  metrics: Record<string, Num>;
  members: Record<
    string,
    { outcome: Num; turn_rewards: Num[]; advantages: Num[]; differences: Num[] }
  >;
}

export interface Place {
  file: string;
  group: number;
  member: number;
  /** From 1; 0 is the first observation. */
  turn: number;
}

export interface Hit extends Place {
  /** Which text of the turn: "action", "text", "observation" or "error". */
  part: string;
  before: string;
  found: string;
  after: string;
}

export interface Hits {
  count: number;
  episodes: number;
  /** The first ones. */
  hits: Hit[];
}

export interface FailureKind extends Place {
  /** Whether the machinery failed, and not the model. */
  ours: boolean;
  what: string;
  detail: string;
  episodes: number;
  turns: number;
}

export interface Failures {
  episodes: number;
  kinds: FailureKind[];
}

export interface GraphNode {
  id: number;
  kind: "state" | "failure" | "success";
  key: string;
  visits: number;
  num_members: number;
  score: Num | null;
  mean_advantage: Num | null;
}

export interface GraphEdge {
  id: number;
  source: number;
  target: number;
  action: string | null;
  invalid: string | null;
  /** Member and turn of each occurrence, turns from 1. */
  turns: [number, number][];
  mean_advantage: Num;
}

export interface Graph {
  scheme: string;
  nodes: GraphNode[];
  edges: GraphEdge[];
}
