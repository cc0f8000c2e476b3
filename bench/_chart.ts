// The picture of the project's README: the rows that help to decide, drawn from
// the tables of bench/README.md.

interface Line {
  /** What the row says there. */
  readonly what: string;
  /** Its name in the suite. */
  readonly row: string;
  /** The contestants beside skein, and what they are called there. */
  readonly peers: Readonly<Record<string, string>>;
}

/** The rows of the picture. */
export const LINES: readonly Line[] = [
  {
    what: "take and release a free lock",
    row: "Lock acquire + release, uncontended",
    peers: { "C pthread": "C", Python: "Python" },
  },
  {
    what: "two threads incrementing under a lock",
    row: "two threads incrementing under a Lock",
    peers: { "C pthread": "C", Python: "Python" },
  },
  {
    what: "start and join a thread, warm",
    row: "start + join of a trivial thread, warm",
    peers: { Python: "Python", piscina: "piscina" },
  },
  {
    what: "first thread with its import, CPU",
    row: "first thread with its import, CPU of the program",
    peers: {
      "Deno node:worker_threads": "Deno's node:worker_threads",
      "Node worker_threads": "Node",
    },
  },
  {
    what: "wake a thread by an event, and back",
    row: "Event, there and back",
    peers: { "Deno Atomics": "Atomics", "Deno postMessage": "postMessage" },
  },
  {
    what: "get from a shared map",
    row: "SharedMap get",
    peers: { "Python dict, Lock": "Python" },
  },
  {
    what: "a number through a queue",
    row: "numbers, one producer, one consumer",
    peers: { "Python Queue": "Python", "Node MessagePort": "Node" },
  },
  {
    what: "a small object through a queue",
    row: "small objects, one producer, one consumer",
    peers: {
      "Node MessagePort": "Node",
      "Python multiprocessing.Queue": "Python processes",
    },
  },
  {
    what: "64 KiB of bytes through a queue",
    row: "64 KiB byte arrays, one producer, one consumer",
    peers: {
      "Node MessagePort": "Node",
      "Python multiprocessing.Queue": "Python processes",
    },
  },
  {
    what: "a task in a pool, awaited",
    row: "a trivial task in a pool, awaited, one at a time",
    peers: { piscina: "piscina", "Python ThreadPoolExecutor": "Python" },
  },
  {
    what: "one of 10 000 tasks in a pool",
    row: "10 000 trivial tasks in a pool, submitted, then awaited",
    peers: {
      piscina: "piscina",
      "Python ThreadPoolExecutor": "Python",
      Java: "Java",
    },
  },
  {
    what: "program, 30 000 objects from a thread",
    row: "30 000 small objects from a thread, whole program",
    peers: { "Node worker_threads": "Node", Python: "Python" },
  },
  {
    what: "1 GB through a pipeline",
    row: "1 GB through head | wc",
    peers: { sh: "sh", execa: "execa" },
  },
  {
    what: "run a command",
    row: "run /bin/true",
    peers: {
      "Deno.Command": "Deno",
      "Python subprocess": "Python",
      execa: "execa",
    },
  },
  {
    what: "raise a signal until its handler runs",
    row: "raise a signal until its handler runs",
    peers: { "Deno.addSignalListener": "Deno", Python: "Python" },
  },
  {
    what: "an alarm of one second is late by",
    row: "alarm of one second, how far off on an idle loop",
    peers: { "Deno setTimeout": "setTimeout", Python: "Python" },
  },
];

/** One line of the picture: what the peers take, in times of what skein takes. */
interface Comparison {
  readonly what: string;
  readonly own: string;
  readonly peers: ReadonlyArray<{ name: string; times: number }>;
}

const SIZES: Record<string, number> = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9 };

/** The medians of the tables: of each row those of its contestants, as they stand. */
function medians(markdown: string): Map<string, Map<string, string>> {
  const rows = new Map<string, Map<string, string>>();
  let current = new Map<string, string>();
  for (const line of markdown.split("\n")) {
    const cells = line.split(/(?<!\\)\|/).map((cell) =>
      cell.trim().replaceAll("\\|", "|")
    );
    if (cells.length !== 9) continue;
    const [, row, who, median] = cells;
    if (row !== "") rows.set(row, current = new Map());
    current.set(who, median);
  }
  return rows;
}

/** Nanoseconds, or nothing if that contestant was skipped. */
function duration(text: string): number | undefined {
  const found = /^([\d.]+) (ns|µs|ms|s)$/.exec(text);
  return found === null ? undefined : Number(found[1]) * SIZES[found[2]];
}

/** The lines, those first in which skein leads most. */
function comparisons(markdown: string): Comparison[] {
  const rows = medians(markdown);
  const lines = LINES.map(({ what, row, peers }) => {
    const of = (name: string): string => {
      const median = rows.get(row)?.get(name);
      if (median === undefined) throw unknown(`${name}" in "${row}`);
      return median;
    };
    const own = of("skein");
    const base = duration(own);
    if (base === undefined) throw unknown(`skein" in "${row}`);
    const measured = Object.entries(peers).flatMap(([peer, name]) => {
      const its = duration(of(peer));
      return its === undefined ? [] : [{ name, times: its / base }];
    });
    return {
      what,
      own,
      peers: measured.toSorted((a, b) => a.times - b.times),
    };
  });
  const least = ({ peers }: Comparison) => peers[0]?.times ?? 0;
  return lines.toSorted((a, b) => least(b) - least(a));
}

function unknown(name: string): RangeError {
  return new RangeError(
    `Cannot draw the results: the tables have no time, received "${name}"`,
  );
}

const WIDTH = 880;
const LEFT = 348;
const RIGHT = 24;
const TOP = 76;
const LINE = 26;
/** How far below their dots labels stand that have no room beside them. */
const LANE = 14;
/** About the width of a letter of the labels. */
const LETTER = 5.9;

interface Label {
  readonly text: string;
  readonly x: number;
  readonly anchor: "start" | "end";
  readonly lane: number;
}

/** A peer in a line, as it is drawn. */
interface Dot {
  readonly x: number;
  readonly text: string;
  readonly side: "ahead" | "behind";
}

/** Labels beside their dots, away from the line of 1 × if they can, or below. */
function labels(dots: readonly Dot[]): Label[] {
  type Span = readonly [from: number, to: number];
  const lanes: Span[][] = [dots.map(({ x }) => [x - 5, x + 5])];
  return dots.map(({ x, text, side }) => {
    const anchors = side === "ahead"
      ? ["start", "end"] as const
      : ["end", "start"] as const;
    const width = text.length * LETTER;
    for (let lane = 0;; lane++) {
      const taken = lanes[lane] ??= [];
      for (const anchor of anchors) {
        const begin = x + (anchor === "start" ? 9 : -9);
        const from = anchor === "start" ? begin : begin - width;
        const to = from + width;
        if (from < LEFT || to > WIDTH - 4) continue;
        if (taken.some((other) => to >= other[0] && from <= other[1])) continue;
        taken.push([from, to]);
        return { text, x: begin, anchor, lane };
      }
    }
  });
}

/** Two digits, which are enough to compare. */
function rounded(times: number): string {
  return String(Number(times.toPrecision(2)));
}

/** The least and the greatest mark of the scale: 1, 2 or 5 times a power of 10. */
function scale(lines: readonly Comparison[]): number[] {
  const all = lines.flatMap(({ peers }) => peers.map(({ times }) => times));
  const [least, most] = [Math.min(...all, 1), Math.max(...all, 1)];
  const marks = [];
  for (let power = -6; power <= 6; power++) {
    for (const digit of [1, 2, 5]) marks.push(Number(`${digit}e${power}`));
  }
  const first = marks.findLastIndex((mark) => mark <= least);
  const last = marks.findIndex((mark) => mark >= most);
  return marks.slice(first, last + 1);
}

/**
 * Draws how long the peers take beside skein, on a logarithmic scale.
 *
 * @param markdown The text of `bench/README.md`, with the tables.
 * @returns The picture, an SVG that has colours for light and dark pages.
 */
export function chart(markdown: string): string {
  const lines = comparisons(markdown);
  const marks = scale(lines);
  const [low, high] = [Math.log(marks[0]), Math.log(marks.at(-1)!)];
  const at = (times: number) =>
    Math.round(
      LEFT + (Math.log(times) - low) / (high - low) * (WIDTH - RIGHT - LEFT),
    );
  let bottom = TOP;
  const rows = lines.map((line) => {
    const y = bottom + 12;
    const dots = line.peers.map(({ name, times }): Dot => ({
      x: at(times),
      text: `${name} ${rounded(times)} ×`,
      side: times < 1 ? "behind" : "ahead",
    }));
    const named = labels(dots);
    bottom += LINE + LANE * Math.max(0, ...named.map(({ lane }) => lane));
    return [
      `  <text x="20" y="${y + 5}">${line.what}</text>`,
      `  <text class="mark" text-anchor="end" x="${LEFT - 20}" y="${
        y + 5
      }">${line.own}</text>`,
      ...dots.map(({ x, side }) =>
        `  <circle class="${side}" cx="${x}" cy="${y}" r="5" />`
      ),
      ...named.map(({ text, x, anchor, lane }) =>
        `  <text class="label" text-anchor="${anchor}" x="${x}" y="${
          y + 4 + lane * LANE
        }">${text}</text>`
      ),
    ].join("\n");
  });
  const grid = marks.map((mark) =>
    `  <path class="${mark === 1 ? "one" : "grid"}" d="M${at(mark)} ${
      TOP - 6
    }V${bottom}" />
  <text class="mark" text-anchor="middle" x="${at(mark)}" y="${
      bottom + 18
    }">${mark} ×</text>`
  );
  const one = at(1);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${
    bottom + 36
  }" role="img"
  aria-labelledby="title desc" font-family="Helvetica, Arial, sans-serif"
  font-size="14">
  <title id="title">How skein compares</title>
  <desc
    id="desc">${
    lines.map(({ what, own, peers }) =>
      `${what}: skein ${own}${
        peers.map(({ name, times }) => `, ${name} ${rounded(times)} times that`)
          .join("")
      }.`
    ).join("\n")
  }</desc>
  <style>
  .page {
    fill: #f8fafc;
  }
  .lead {
    fill: #e0e7ff;
  }
  text {
    fill: #1f2937;
  }
  .mark,
  .label {
    fill: #475569;
    font-size: 12px;
  }
  .title {
    font-weight: bold;
  }
  .grid {
    stroke: #cbd5e1;
  }
  .one {
    stroke: #475569;
    stroke-width: 1.5;
  }
  .ahead {
    fill: #4f46e5;
  }
  .behind {
    fill: #c2410c;
  }
  @media (prefers-color-scheme: dark) {
    .page {
      fill: #0f172a;
    }
    .lead {
      fill: #1e1b4b;
    }
    text {
      fill: #e2e8f0;
    }
    .mark,
    .label {
      fill: #a8b5c8;
    }
    .grid {
      stroke: #334155;
    }
    .one {
      stroke: #94a3b8;
    }
    .ahead {
      fill: #a5b4fc;
    }
    .behind {
      fill: #fb923c;
    }
  }
  </style>
  <rect class="page" width="${WIDTH}" height="${bottom + 36}" rx="14" />
  <rect class="lead" x="${one}" y="${TOP - 6}" width="${
    WIDTH - RIGHT - one
  }" height="${bottom - TOP + 6}" />
  <text class="title" x="20" y="32">How long others take, in times of what skein takes</text>
  <text class="mark" text-anchor="end" x="${LEFT - 20}" y="${
    TOP - 12
  }">skein takes</text>
  <text class="mark" text-anchor="end" x="${one - 8}" y="${
    TOP - 12
  }">they are faster</text>
  <text class="mark" x="${one + 8}" y="${TOP - 12}">skein is faster</text>
${grid.join("\n")}
${rows.join("\n")}
</svg>
`;
}
