// What an environment looks like, made from the stored episode alone; by the environment's id.
import type { VNode } from "preact";
import type { Episode, Mark, Observation, Turn } from "../records";
import { marksOf, PageLines } from "./gui";
import { Hits } from "./hits";
import { HouseBoard } from "./house";
import { ShopPage } from "./shop";
import { Commands, Terminal } from "./terminal";

interface Panel {
  title: string;
  /** What an observation shows, in the place of its text; `at` turns came before it. */
  seen?: (episode: Episode, at: number, acted: boolean) => VNode | null;
  /** What a turn did, in the place of its action. */
  did?: (turn: Turn) => VNode;
  /** Where in the picture of an observation the next turn acted. */
  marks?: (observation: Observation, next: Turn | undefined) => Mark[];
  /** What is known after a turn, below it. */
  board?: (episode: Episode, turn: number) => VNode | null;
}

const PANELS: [env: RegExp, panel: Panel][] = [
  [/\/ALFWorld/, { title: "House", board: (episode, turn) => HouseBoard({ episode, turn }) }],
  [/\/Search-/, { title: "Hits", seen: (episode, at) => Hits({ episode, at }) }],
  [/\/WebShop-/, { title: "Page", seen: (episode, at, acted) => ShopPage({ episode, at, acted }) }],
  [/\/Box-/, { title: "Terminal", board: (episode, turn) => Terminal({ episode, turn }) }],
  [
    /\/SWE-|:SWECommand$/,
    { title: "Terminal", board: (episode, turn) => Terminal({ episode, turn }), did: (turn) => Commands({ turn }) },
  ],
  [/\/GUI-/, { title: "Page", seen: guiPage, marks: marksOf }],
];

function guiPage(episode: Episode, at: number, acted: boolean): VNode | null {
  const observation = at === 0 ? episode.first : episode.turns[at - 1]?.observation;
  return observation ? PageLines({ observation, next: acted ? episode.turns[at] : undefined }) : null;
}

export function panelOf(env: string): Panel | null {
  return PANELS.find(([pattern]) => pattern.test(env))?.[1] ?? null;
}
