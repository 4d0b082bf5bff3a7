// Where a trajectory graph's nodes and edges stand: time runs to the right, members lie in lanes.
import type { Graph, GraphEdge, GraphNode } from "./records";

export interface Point {
  x: number;
  y: number;
}

export interface PlacedNode extends Point {
  node: GraphNode;
  radius: number;
}

export interface PlacedEdge {
  edge: GraphEdge;
  width: number;
  /** An SVG path. */
  path: string;
  /** Where the action is written. */
  label: Point;
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
  /** Whether there is room for every edge's action. */
  labelled: boolean;
}

/** Below the last lane, for lines that lead back. */
const FOOT = 44;
/** With more edges than this, actions are written at the selected edge alone. */
const LABELLED_EDGES = 48;
const STEP = 60;
const LABELLED_STEP = 136;
const LANE = 44;
const MARGIN = 28;
/** Between the rims of two nodes of one column. */
const GAP = 14;

interface Visit {
  member: number;
  /** Turns before it. */
  time: number;
}

/** States that members share are one node: where it was first reached, between their lanes. */
export function merged(graph: Graph): Placed {
  const labelled = graph.edges.length <= LABELLED_EDGES;
  const step = labelled ? LABELLED_STEP : STEP;
  const lanes = lanesOf(graph);
  const visits = visitsOf(graph);
  const nodes = graph.nodes.map((node) => {
    const mine = visits.get(node.id) ?? [];
    const members = [...new Set(mine.map((visit) => visit.member))];
    const lane = members.reduce((sum, member) => sum + (lanes.get(member) ?? 0), 0) / Math.max(1, members.length);
    const first = Math.min(...mine.map((visit) => visit.time));
    return { node, radius: 3 + 2 * Math.sqrt(node.visits), x: MARGIN + first * step, y: MARGIN + lane * LANE };
  });
  spread(nodes);
  const at = new Map(nodes.map((placed) => [placed.node.id, placed]));
  const edges = graph.edges.flatMap((edge) => {
    const [source, target] = [at.get(edge.source), at.get(edge.target)];
    return source && target ? [{ edge, width: widthOf(edge.turns.length), ...curve(source, target, step) }] : [];
  });
  return { nodes, edges, ...sizeOf(nodes), labelled };
}

/** Every member a lane of its own, a node per turn. */
export function expanded(graph: Graph): Placed {
  const lanes = lanesOf(graph);
  const place = (id: number, { member, time }: Visit): PlacedNode[] => {
    const node = graph.nodes[id];
    const y = MARGIN + (lanes.get(member) ?? 0) * LANE;
    return node ? [{ node, radius: 5, x: MARGIN + time * STEP, y }] : [];
  };
  const nodes: PlacedNode[] = [];
  const edges: PlacedEdge[] = [];
  for (const edge of graph.edges) {
    for (const [member, turn] of edge.turns) {
      const [source] = place(edge.source, { member, time: turn - 1 });
      const [target] = place(edge.target, { member, time: turn });
      if (!source || !target) continue;
      nodes.push(...(turn === 1 ? [source, target] : [target]));
      edges.push({ edge: { ...edge, turns: [[member, turn]] }, width: 3, ...curve(source, target, STEP) });
    }
  }
  return { nodes, edges, ...sizeOf(nodes), labelled: false };
}

/** Members from the top down, by their number. */
function lanesOf(graph: Graph): Map<number, number> {
  const members = new Set(graph.edges.flatMap((edge) => edge.turns.map(([member]) => member)));
  return new Map([...members].toSorted((a, b) => a - b).map((member, lane) => [member, lane]));
}

function visitsOf(graph: Graph): Map<number, Visit[]> {
  const visits = new Map<number, Visit[]>(graph.nodes.map((node) => [node.id, []]));
  for (const edge of graph.edges) {
    for (const [member, turn] of edge.turns) {
      visits.get(edge.source)?.push({ member, time: turn - 1 });
      visits.get(edge.target)?.push({ member, time: turn });
    }
  }
  return visits;
}

/** Move nodes of one column apart, downwards, until none touches another. */
function spread(nodes: PlacedNode[]): void {
  const columns = Map.groupBy(nodes, (placed) => placed.x);
  for (const column of columns.values()) {
    let free = -Infinity;
    for (const placed of column.toSorted((a, b) => a.y - b.y)) {
      placed.y = Math.max(placed.y, free + placed.radius);
      free = placed.y + placed.radius + GAP;
    }
  }
}

function sizeOf(nodes: PlacedNode[]): { width: number; height: number } {
  return {
    width: Math.max(0, ...nodes.map((placed) => placed.x + placed.radius)) + MARGIN,
    height: Math.max(0, ...nodes.map((placed) => placed.y + placed.radius)) + FOOT,
  };
}

function widthOf(visits: number): number {
  return 1 + 1.6 * Math.sqrt(visits);
}

/** A line that leaves and arrives level; back in time it swings below, to itself above. */
function curve(source: PlacedNode, target: PlacedNode, step: number): { path: string; label: Point } {
  const { x, y, radius } = source;
  if (source === target) {
    const [rim, top] = [radius + 10, y - radius - 16];
    return { path: `M${x} ${y}C${x - rim} ${top} ${x + rim} ${top} ${x} ${y}`, label: { x, y: top } };
  }
  const across = target.x - x;
  if (across <= 0) {
    const dip = Math.max(y, target.y) + 22 + Math.min(40, -across / 6);
    return {
      path: `M${x} ${y}C${x + step / 2} ${dip} ${target.x - step / 2} ${dip} ${target.x} ${target.y}`,
      label: { x: (x + target.x) / 2, y: dip - 4 },
    };
  }
  // Over nodes on its way a long line would be lost; it passes above them.
  const lift = across > step ? 14 : 0;
  const pull = across / 2;
  return {
    path: `M${x} ${y}C${x + pull} ${y - lift} ${target.x - pull} ${target.y - lift} ${target.x} ${target.y}`,
    label: { x: x + pull, y: (y + target.y) / 2 - 7 - lift },
  };
}
