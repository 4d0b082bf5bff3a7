// What went into a turn's credit: the numbers that its scheme reads, as far as the run stored them.
import { finite, plain, signed } from "./format";
import type { Credit, Graph, GraphEdge, Group, Num } from "./records";

export type Input = [what: string, value: string];

/** A turn by its member's number and its own, from 1. */
type Place = [member: number, turn: number];

/** Values written out before they are only counted. */
const WRITTEN = 16;

/** Whether a scheme compares turns by their place in a graph. SALT's states are its own. */
export function hasGraph({ scheme, reads }: Credit): boolean {
  return reads.includes("states") || scheme === "salt";
}

/** The inputs of one turn; `graph` as the scheme sees it, null where that is not at hand. */
export function inputsOf(group: Group, credit: Credit, graph: Graph | null, [member, turn]: Place): Input[] {
  const mine = credit.members[member];
  if (mine === undefined) return [];
  const { reads, scheme } = credit;
  const inputs: Input[] = [];
  if (reads.includes("outcome")) inputs.push(...ofOutcomes(credit, mine.outcome));
  if (reads.includes("turn")) inputs.push(...ofRewards(credit, [member, turn]));
  if (reads.includes("values")) inputs.push(...ofCritic(group, [member, turn]));
  for (const name of reads) inputs.push(...ofChannel(group, credit, name, [member, turn]));
  const edge = graph?.edges.find(({ turns }) => turns.some((each) => isAt(each, [member, turn])));
  if (graph && edge && hasGraph(credit)) {
    inputs.push(...(scheme === "salt" ? ofShared(credit, edge) : ofStates(credit, graph, edge)));
  }
  if (reads.includes("batch")) inputs.push(["compared with", "every episode of this train step"]);
  return inputs;
}

/** The scheme's settings, those that have their default among them. */
export function constantsOf({ constants }: Credit): string {
  return Object.entries(constants)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}

function ofOutcomes(credit: Credit, outcome: Num): Input[] {
  const outcomes = Object.values(credit.members).map((each) => each.outcome);
  return [
    ["outcome R", plain(outcome)],
    ["R of the group", listed(outcomes.map((each) => plain(each)))],
    ["their mean", plain(mean(outcomes), 4)],
    ...ofDeviation(credit, outcomes),
  ];
}

function ofDeviation({ constants }: Credit, values: Num[]): Input[] {
  const kind = String(constants.std ?? constants.base ?? "");
  const less = kind.endsWith("sample") ? 1 : kind.endsWith("population") ? 0 : null;
  if (less === null || values.length <= less) return [];
  const centre = mean(values);
  const sum = values.reduce((total: number, each) => total + (finite(each) - centre) ** 2, 0);
  return [[less ? "their deviation (n - 1)" : "their deviation (n)", plain(Math.sqrt(sum / (values.length - less)), 4)]];
}

function ofRewards(credit: Credit, [member, turn]: Place): Input[] {
  const rewards = credit.members[member]?.turn_rewards ?? [];
  const inputs: Input[] = [["reward r", plain(rewards[turn - 1] ?? null)]];
  if (comparesReturns(credit)) inputs.push(["return from here", plain(returnFrom(credit, [member, turn]), 4)]);
  if (credit.scheme !== "mt_grpo") return inputs;
  const others = Object.values(credit.members).flatMap((each) => each.turn_rewards.slice(0, -1)[turn - 1] ?? []);
  return [...inputs, [`r of turn ${turn} in the group`, listed(others.map((each) => plain(each)))]];
}

function comparesReturns({ reads }: Credit): boolean {
  return reads.includes("turn") && reads.includes("states");
}

/** The discounted rewards from a turn to the end of its episode. */
function returnFrom(credit: Credit, [member, turn]: Place): number {
  const gamma = Number(credit.constants.gamma ?? 1);
  const rewards = credit.members[member]?.turn_rewards.slice(turn - 1) ?? [];
  return rewards.reduceRight((total: number, reward) => finite(reward) + gamma * total, 0);
}

function ofCritic(group: Group, [member, turn]: Place): Input[] {
  const turns = group.members.find((each) => each.member === member)?.turns ?? [];
  const [here, next] = [turns[turn - 1]?.values, turns[turn]?.values];
  return [
    ["critic here, first and last token", here ? `${plain(here[0] ?? null)}, ${plain(here.at(-1) ?? null)}` : "\u2013"],
    ["critic at the next turn", next ? plain(next[0] ?? null) : "0, the end"],
  ];
}

/** A reward channel that the scheme reads by name. */
function ofChannel(group: Group, credit: Credit, name: string, [member, turn]: Place): Input[] {
  const valid = group.members.filter((each) => each.member in credit.members);
  const own = valid.find((each) => each.member === member)?.turns[turn - 1];
  if (!valid.some(({ turns }) => turns.some(({ channels }) => name in channels))) return [];
  const pool = valid.flatMap(({ turns }) =>
    (credit.scheme === "a2tgpo" ? turns.slice(turn - 1, turn) : turns).flatMap(({ channels }) => channels[name] ?? []),
  );
  const what = name.replaceAll("_", " ");
  const among = credit.scheme === "a2tgpo" ? `of turn ${turn} in the group` : "of the group's turns";
  return [
    [what, plain(own?.channels[name] ?? null, 4)],
    [`mean ${among}`, `${plain(mean(pool), 4)} (n = ${pool.length})`],
    ...ofDeviation(credit, pool),
  ];
}

/** SALT: the episodes that took the same step. */
function ofShared(credit: Credit, edge: GraphEdge): Input[] {
  const told = edge.turns.map(([member, turn]) => `m${member}/${turn} R ${plain(credit.members[member]?.outcome ?? null)}`);
  return [["averaged over this step in", listed(told)]];
}

/** Where it led, beside where the other turns from the same state led. */
function ofStates(credit: Credit, graph: Graph, edge: GraphEdge): Input[] {
  const [from, to] = [graph.nodes[edge.source], graph.nodes[edge.target]];
  const rivals = graph.edges
    .filter(({ source }) => source === edge.source)
    .flatMap(({ target, turns }) =>
      turns.map(([member, turn]): string => {
        const value = comparesReturns(credit) ? returnFrom(credit, [member, turn]) : (graph.nodes[target]?.score ?? null);
        return `m${member}/${turn} ${plain(value)}`;
      }),
    );
  return [
    ["score of the state left", plain(from?.score ?? null, 4)],
    ["of the state reached", `${plain(to?.score ?? null, 4)}${to && to.kind !== "state" ? `, ${to.kind}` : ""}`],
    [comparesReturns(credit) ? "returns from this state" : "reached from this state", listed(rivals)],
  ];
}

function isAt([member, turn]: Place, [m, t]: Place): boolean {
  return member === m && turn === t;
}

function mean(values: Num[]): number {
  return values.reduce((total: number, each) => total + finite(each), 0) / Math.max(1, values.length);
}

function listed(values: string[]): string {
  const rest = values.length - WRITTEN;
  return values.slice(0, WRITTEN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** What a bar says when the pointer rests on it. */
export function barTitle(turn: number, advantage: Num | null, inputs: Input[]): string {
  const head = `turn ${turn}: ${advantage === null ? "no credit" : signed(advantage)}`;
  return [head, ...inputs.map(([what, value]) => `${what}: ${value}`)].join("\n");
}
