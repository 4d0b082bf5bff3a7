// A picture that an environment showed, with marks where the agent acted on it.
import type { Mark, Observation } from "./records";

/** Radius of a place's ring, in pixels of the window that was pictured. */
const RING = 8;

export function Picture({ observation, address, marks }: {
  observation: Observation;
  address: string;
  marks: Mark[];
}) {
  const size = observation.places;
  return (
    <div class="picture">
      <img src={address} alt="what the environment showed" />
      {size && marks.length ? (
        <svg viewBox={`0 0 ${size.width} ${size.height}`} role="img" aria-label="where it acted">
          {marks.map(({ x, y, width, height }, index) =>
            width || height ? (
              <rect key={index} x={x} y={y} width={width} height={height} rx={2} />
            ) : (
              <circle key={index} cx={x} cy={y} r={RING} />
            ),
          )}
          {marks[1] ? <path d={`M${middleOf(marks[0])} L${middleOf(marks[1])}`} /> : null}
        </svg>
      ) : null}
    </div>
  );
}

function middleOf(mark: Mark | undefined): string {
  return mark ? `${mark.x + mark.width / 2} ${mark.y + mark.height / 2}` : "0 0";
}
