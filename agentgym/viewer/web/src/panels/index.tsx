// What an environment looks like, made from the stored episode alone; by the environment's id.
import type { VNode } from "preact";
import type { Episode } from "../records";
import { Hits } from "./hits";
import { HouseBoard } from "./house";
import { ShopPage } from "./shop";
import { Terminal } from "./terminal";

interface Panel {
  title: string;
  /** What an observation shows, in the place of its text; `at` turns came before it. */
  seen?: (episode: Episode, at: number, acted: boolean) => VNode | null;
  /** What is known after a turn, below it. */
  board?: (episode: Episode, turn: number) => VNode | null;
}

const PANELS: [env: RegExp, panel: Panel][] = [
  [/\/ALFWorld/, { title: "House", board: (episode, turn) => HouseBoard({ episode, turn }) }],
  [/\/Search-/, { title: "Hits", seen: (episode, at) => Hits({ episode, at }) }],
  [/\/WebShop-/, { title: "Page", seen: (episode, at, acted) => ShopPage({ episode, at, acted }) }],
  [/\/Box-/, { title: "Terminal", board: (episode, turn) => Terminal({ episode, turn }) }],
];

export function panelOf(env: string): Panel | null {
  return PANELS.find(([pattern]) => pattern.test(env))?.[1] ?? null;
}
