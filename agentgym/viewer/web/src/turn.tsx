// One turn, to read: what the agent saw, what it did, what came back, and what that was worth.
import type { ComponentChildren } from "preact";
import { load, type Loaded } from "./answers";
import { pictureAt } from "./archive";
import type { Selection } from "./selection";
import { plain, signed } from "./format";
import { constantsOf, hasGraph, inputsOf } from "./formula";
import { Graded } from "./graded";
import { graphAt } from "./graph";
import { panelOf } from "./panels";
import { CreditBar, Status } from "./parts";
import { Picture } from "./picture";
import type { Credit, Episode, EpisodeError, Graph, Group, Mark, Num, Observation, Turn } from "./records";
import { Text } from "./text";
import { Tokens } from "./tokens";

export function TurnView({ path, scheme, group, replay, advantages, credit, scale, selection }: {
  path: string;
  scheme: string | null;
  group: Group;
  replay: string;
  advantages: (Num[] | null)[];
  credit: Loaded<Credit>;
  scale: number;
  selection: Selection;
}) {
  const episode = group.members[selection.place];
  if (episode === undefined) return <p class="empty">This group has no members.</p>;
  const turn = episode.turns[selection.turn - 1];
  const picture = (number: number) => pictureAt(`${path}/pictures/${episode.member}/${number}`);
  if (turn === undefined) return <Start episode={episode} picture={picture(0)} />;
  const before = selection.turn === 1 ? episode.first : episode.turns[selection.turn - 2]?.observation;
  const index = selection.turn - 1;
  const panel = panelOf(episode.env);
  const board = panel?.board?.(episode, selection.turn);
  return (
    <div class="turn">
      <div class="story">
        <Where episode={episode} turn={selection.turn} />
        {selection.turn > 1 && episode.first ? (
          <Block title="Start">
            <details>
              <summary>the first observation</summary>
              <p class="text">{episode.first.text}</p>
            </details>
          </Block>
        ) : null}
        <Block title="Saw">
          {before ? (
            <Seen
              observation={before}
              picture={picture(selection.turn - 1)}
              drawn={panel?.seen?.(episode, selection.turn - 1, true)}
              marks={panel?.marks?.(before, turn) ?? []}
            />
          ) : (
            <p>(reset failed)</p>
          )}
        </Block>
        <Block title="Did">
          {panel?.did && turn.action !== null ? panel.did(turn) : <Text class="action" text={turn.action ?? "(no action)"} />}
          {turn.invalid === null ? null : <p class="invalid">invalid: {turn.invalid}</p>}
          {turn.text.trim() === (turn.action ?? "").trim() ? null : (
            <details open>
              <summary>the model's whole text</summary>
              <Text text={turn.text} />
            </details>
          )}
        </Block>
        <Block title="Came back">
          <Seen
            observation={turn.observation}
            picture={picture(selection.turn)}
            drawn={panel?.seen?.(episode, selection.turn, false)}
          />
        </Block>
        {panel && board ? <Block title={panel.title}>{board}</Block> : null}
        {selection.turn === episode.turns.length ? <End episode={episode} /> : null}
      </div>
      <div class="worth">
        <CreditPanel
          turn={turn}
          index={index}
          advantage={advantages[selection.place]?.[index] ?? null}
          credit={credit}
          episode={episode}
          scale={scale}
        />
        <Formula path={path} scheme={scheme} group={group} credit={credit} place={[episode.member, selection.turn]} />
        <Tokens turn={turn} pieces={group.pieces} advantages={episode.token_advantages?.[index] ?? null} />
        <Choices observation={before ?? null} action={turn.action} />
        <Facts
          episode={episode}
          turn={turn}
          replay={`${replay} --file ${group.file} --group ${group.group} --member ${episode.member}`}
        />
      </div>
    </div>
  );
}

function Where({ episode, turn }: { episode: Episode; turn: number }) {
  return (
    <h2>
      m{episode.member} <Status status={episode.status} />
      <span class="facts">{turn === 0 ? "before its first turn" : `turn ${turn} of ${episode.turns.length}`}</span>
    </h2>
  );
}

function Start({ episode, picture }: { episode: Episode; picture: string }) {
  const panel = panelOf(episode.env);
  const board = panel?.board?.(episode, 0);
  return (
    <div class="turn">
      <div class="story">
        <Where episode={episode} turn={0} />
        <Block title="Told">
          <p class="text">{episode.system_prompt || "(no system prompt)"}</p>
        </Block>
        <Block title="Saw">
          {episode.first ? (
            <Seen observation={episode.first} picture={picture} drawn={panel?.seen?.(episode, 0, false)} />
          ) : (
            <p>(reset failed)</p>
          )}
        </Block>
        {panel && board ? <Block title={panel.title}>{board}</Block> : null}
        {episode.turns.length === 0 ? <End episode={episode} /> : null}
      </div>
      <div class="worth">
        <Choices observation={episode.first} action={null} />
      </div>
    </div>
  );
}

function Block({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="block" aria-label={title}>
      <h3>{title}</h3>
      <div>{children}</div>
    </section>
  );
}

function Seen({ observation, picture, drawn, marks = [] }: {
  observation: Observation;
  picture: string;
  drawn?: ComponentChildren;
  marks?: Mark[];
}) {
  return (
    <>
      {drawn ? (
        <>
          {drawn}
          <details>
            <summary>as text</summary>
            <p class="text">{observation.text}</p>
          </details>
        </>
      ) : (
        <Text text={observation.text} />
      )}
      {observation.image ? <Picture observation={observation} address={picture} marks={marks} /> : null}
    </>
  );
}

/** What is known of an episode beside its last turn. */
function End({ episode: { error, facts } }: { episode: Episode }) {
  return (
    <>
      {error ? <Failure error={error} /> : null}
      {Object.keys(facts).length ? (
        <Block title="Graded">
          <Graded facts={facts} />
        </Block>
      ) : null}
    </>
  );
}

function Failure({ error }: { error: EpisodeError }) {
  return (
    <Block title="Ended by">
      <p>
        {error.type} in {error.phase}
      </p>
      <p class="text">{error.message}</p>
      {error.action !== null ? (
        <p>
          answering: <code class="text">{error.action}</code>
        </p>
      ) : null}
      {error.trace ? (
        <details>
          <summary>where it was raised</summary>
          <p class="text">{error.trace}</p>
        </details>
      ) : null}
    </Block>
  );
}

function CreditPanel({ turn, index, advantage, credit, episode, scale }: {
  turn: Turn;
  index: number;
  advantage: Num | null;
  credit: Loaded<Credit>;
  episode: Episode;
  scale: number;
}) {
  const mine = credit.state === "ready" ? credit.value.members[episode.member] : undefined;
  const difference = mine?.differences[index];
  const turnReward = mine?.turn_rewards[index] ?? null;
  return (
    <section class="numbers" aria-label="credit">
      <h3>Credit</h3>
      <dl>
        <dt>advantage</dt>
        <dd class="big">
          <CreditBar value={advantage} scale={scale} digits={4} />
        </dd>
        {difference !== undefined ? (
          <>
            <dt title="largest over the turn's tokens">off what was trained</dt>
            <dd>{difference === 0 ? "0" : plain(difference, 6)}</dd>
          </>
        ) : null}
        <dt>reward</dt>
        <dd>{plain(turn.reward)}</dd>
        {turnReward !== null && turnReward !== turn.reward ? (
          <>
            <dt>with turn channels</dt>
            <dd>{plain(turnReward)}</dd>
          </>
        ) : null}
        {Object.entries(turn.channels).map(([name, value]) => (
          <>
            <dt>{name}</dt>
            <dd>{signed(value)}</dd>
          </>
        ))}
        <dt>score</dt>
        <dd>{plain(episode.score)}</dd>
        {mine && mine.outcome !== episode.score ? (
          <>
            <dt>outcome, with channels</dt>
            <dd>{plain(mine.outcome)}</dd>
          </>
        ) : null}
      </dl>
      {episode.valid ? null : <p class="note">This episode is not trained on and takes part in no baseline.</p>}
    </section>
  );
}

function Formula({ path, scheme, group, credit, place }: {
  path: string;
  scheme: string | null;
  group: Group;
  credit: Loaded<Credit>;
  place: [member: number, turn: number];
}) {
  if (credit.state !== "ready") return null;
  const { value } = credit;
  const graph = hasGraph(value) ? load<Graph>(graphAt(path, scheme)) : null;
  const inputs = inputsOf(group, value, graph?.state === "ready" ? graph.value : null, place);
  if (inputs.length === 0) return null;
  return (
    <section class="formula" aria-label="what went in">
      <h3>
        What went in <span class="facts">{value.scheme}</span>
      </h3>
      <dl>
        {inputs.map(([what, number]) => (
          <>
            <dt>{what}</dt>
            <dd>{number}</dd>
          </>
        ))}
      </dl>
      <details>
        <summary>the formula</summary>
        <p class="text">{value.says}</p>
        <p class="facts">{constantsOf(value)}</p>
      </details>
    </section>
  );
}

function Choices({ observation, action }: { observation: Observation | null; action: string | null }) {
  if (!observation?.choices) return null;
  return (
    <details class="choices" open={observation.choices.length <= 24}>
      <summary>
        {observation.choices.length} admissible actions
      </summary>
      <ul>
        {observation.choices.map((choice, index) => (
          <li key={index} class={choice === action ? "taken" : ""}>
            {choice}
          </li>
        ))}
      </ul>
    </details>
  );
}

function Facts({ episode, turn, replay }: { episode: Episode; turn: Turn; replay: string }) {
  const value = turn.values ? plain(turn.values[0] ?? null) : null;
  return (
    <details class="more">
      <summary>more</summary>
      <dl>
        <dt>finish</dt>
        <dd>{turn.finish}</dd>
        <dt>seconds</dt>
        <dd>{plain(turn.seconds)}</dd>
        <dt>segment</dt>
        <dd>{turn.segment}</dd>
        {value === null ? null : (
          <>
            <dt>critic, first token</dt>
            <dd>{value}</dd>
          </>
        )}
        <dt>policy version</dt>
        <dd>{episode.policy_version}</dd>
        <dt>environment</dt>
        <dd>{episode.env}</dd>
        <dt>seed</dt>
        <dd>{episode.seed}</dd>
        <dt>panel</dt>
        <dd>{episode.panel_hash}</dd>
        <dt>in a terminal</dt>
        <dd class="mono">{replay}</dd>
      </dl>
    </details>
  );
}
