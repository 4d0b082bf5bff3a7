// The graph that credit sees: width is visits, colour is credit, and a click selects a turn.
import { useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { load } from "./answers";
import { count, finite, largest, plain, signed } from "./format";
import type { Selection } from "./selection";
import { expanded, merged, type Placed, type PlacedEdge, type PlacedNode } from "./layout";
import { CreditBar, Show } from "./parts";
import type { Graph, GraphEdge, Group } from "./records";
import { go, route, withQuery } from "./route";

/** A smaller advantage is no advantage; it is rounding. */
const NEGLIGIBLE = 1e-9;

export function graphAt(path: string, scheme: string | null): string {
  return `${path}/graph${scheme ? `?scheme=${encodeURIComponent(scheme)}` : ""}`;
}

export function GraphView({ path, scheme, group, selection }: {
  path: string;
  scheme: string | null;
  group: Group;
  selection: Selection;
}) {
  return (
    <Show from={load<Graph>(graphAt(path, scheme))} what="the graph">
      {(graph) => <Drawn graph={graph} group={group} selection={selection} />}
    </Show>
  );
}

function Drawn({ graph, group, selection }: { graph: Graph; group: Group; selection: Selection }) {
  const apart = route.value.query.get("apart") === "1";
  const placed = useMemo(() => (apart ? expanded(graph) : merged(graph)), [graph, apart]);
  const scale = useMemo(() => largest(graph.edges.map((edge) => edge.mean_advantage)), [graph]);
  const member = group.members[selection.place]?.member ?? -1;
  const chosen = graph.edges.find((edge) => isAt(edge, member, selection.turn));
  return (
    <div class="graph" data-ready="graph">
      <div class="board">
        <p class="legend">
          <label>
            <input
              type="checkbox"
              checked={apart}
              onChange={() => go({ query: withQuery({ apart: apart ? null : 1 }) })}
            />{" "}
            members apart
          </label>
          <span>
            {count(graph.nodes.length, "state")}, {count(graph.edges.length, "edge")}, as {graph.scheme} sees them
          </span>
          {scale > NEGLIGIBLE ? (
            <span class="key">
              <span class="swatch minus" /> {signed(-scale, 2)}
              <span class="swatch zero" /> 0
              <span class="swatch plus" /> {signed(scale, 2)}
            </span>
          ) : (
            <span class="key">no credit in this group</span>
          )}
        </p>
        <Board placed={placed} scale={scale} member={member} selection={selection} />
      </div>
      <Side edge={chosen} graph={graph} scale={scale} member={member} selection={selection} />
    </div>
  );
}

function Board({ placed, scale, member, selection }: {
  placed: Placed;
  scale: number;
  member: number;
  selection: Selection;
}) {
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    box.current?.querySelector(".edge.selected")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [placed, member, selection.turn]);
  return (
    <div class="scroll" ref={box} tabIndex={0}>
      <svg
        width={placed.width}
        height={placed.height}
        viewBox={`0 0 ${placed.width} ${placed.height}`}
        role="img"
        aria-label="trajectory graph"
      >
        {placed.edges.map((each, index) => (
          <Line key={index} placed={each} scale={scale} member={member} selection={selection} />
        ))}
        {placed.nodes.map((each, index) => (
          <Dot key={index} placed={each} />
        ))}
        {labelsOf(placed, ({ edge }) => isAt(edge, member, selection.turn)).map(({ edge, label }, index) => (
          <text key={index} class="action" x={label.x} y={label.y}>
            {short(described(edge))}
          </text>
        ))}
      </svg>
    </div>
  );
}

const LETTER = 6.1;
const LINE = 12;

/** The edges whose actions are written: the selected one, and others that have room. */
function labelsOf(placed: Placed, isSelected: (edge: PlacedEdge) => boolean): PlacedEdge[] {
  const edges = placed.labelled ? placed.edges : placed.edges.filter(isSelected);
  const written: PlacedEdge[] = [];
  for (const edge of edges.toSorted((a, b) => Number(isSelected(b)) - Number(isSelected(a)))) {
    const width = LETTER * short(described(edge.edge)).length;
    const collides = written.some((other) => {
      const apart = (width + LETTER * short(described(other.edge)).length) / 2;
      return Math.abs(other.label.x - edge.label.x) < apart && Math.abs(other.label.y - edge.label.y) < LINE;
    });
    if (!collides) written.push(edge);
  }
  return written;
}

function Line({ placed, scale, member, selection }: {
  placed: PlacedEdge;
  scale: number;
  member: number;
  selection: Selection;
}) {
  const { edge, path, width } = placed;
  const mine = edge.turns.find(([m]) => m === member);
  const selected = isAt(edge, member, selection.turn);
  const value = finite(edge.mean_advantage);
  const side = value > NEGLIGIBLE ? "plus" : value < -NEGLIGIBLE ? "minus" : "zero";
  return (
    <g
      class={`edge ${side} ${selected ? "selected" : ""} ${mine ? "mine" : ""}`}
      style={{ "--strength": scale > 0 ? (0.3 + 0.7 * (Math.abs(value) / scale)).toFixed(3) : "0.3" }}
      data-edge={edge.id}
      onClick={() => {
        const [to, turn] = mine ?? edge.turns[0] ?? [member, selection.turn];
        selection.select(to, turn);
      }}
    >
      <title>{`${described(edge)}\n${count(edge.turns.length, "visit")}, advantage ${signed(edge.mean_advantage)}`}</title>
      {selected ? <path class="halo" d={path} style={{ "stroke-width": `${width + 6}px` }} /> : null}
      <path class="line" d={path} style={{ "stroke-width": `${width}px` }} />
      <path class="hit" d={path} />
    </g>
  );
}

function Dot({ placed: { node, x, y, radius } }: { placed: PlacedNode }) {
  const says = node.kind === "state" ? node.key : node.kind;
  const score = node.score === null ? "" : `, score ${plain(node.score)}`;
  return (
    <g class={`node ${node.kind}`} transform={`translate(${x} ${y})`}>
      <title>{`${says}\n${count(node.visits, "visit")} by ${count(node.num_members, "member")}${score}`}</title>
      <circle r={radius} />
      {node.kind === "state" ? null : <text y={radius + 12}>{node.kind}</text>}
    </g>
  );
}

function Side({ edge, graph, scale, member, selection }: {
  edge: GraphEdge | undefined;
  graph: Graph;
  scale: number;
  member: number;
  selection: Selection;
}) {
  if (edge === undefined) {
    return <aside class="chosen">Click an edge, or walk with the arrow keys, to see its turns.</aside>;
  }
  return (
    <aside class="chosen" aria-label="selected edge">
      <h3>From</h3>
      <p class="text">{graph.nodes[edge.source]?.key}</p>
      <h3>By</h3>
      <p class="text action">{described(edge)}</p>
      <CreditBar value={edge.mean_advantage} scale={scale} />
      <h3>To</h3>
      <p class="text">{graph.nodes[edge.target]?.key || graph.nodes[edge.target]?.kind}</p>
      <h3>{count(edge.turns.length, "visit")}</h3>
      <p class="visits">
        {edge.turns.map(([to, turn]) => (
          <button
            key={`${to}/${turn}`}
            type="button"
            aria-pressed={to === member && turn === selection.turn}
            onClick={() => selection.select(to, turn)}
          >
            m{to}/{turn}
          </button>
        ))}
      </p>
    </aside>
  );
}

function isAt(edge: GraphEdge, member: number, turn: number): boolean {
  return edge.turns.some(([m, t]) => m === member && t === turn);
}

function described(edge: GraphEdge): string {
  return edge.action ?? `(${edge.invalid ?? "no action"})`;
}

function short(text: string): string {
  return text.length > 22 ? `${text.slice(0, 21)}\u2026` : text;
}
