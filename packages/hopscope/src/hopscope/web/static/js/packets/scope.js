// The scope: every reception of the last two minutes as a mark, time to the right, signal upwards, colour by type.

import { html, useEffect, useRef, useState } from "../ui.js";
import { onPackets } from "../live.js";
import { calm } from "../screen.js";
import { count } from "../format.js";
import { shownTheme, token } from "../theme.js";
import { typeOf } from "../parts/kind.js";

const WINDOW_MS = 120_000;
const MOST = 4000; // marks kept; the oldest leave
const TOP_DB = 16;
const BOTTOM_DB = -22;
const STEP_PX = 0.7; // a mark is drawn again once it has moved by so much: more often nobody sees, and phones pay

/** @typedef {{at: number, snr: number | null, type: number, observer: string, hash: string}} Mark */

/** @param {number | null} snr @returns {number} 0 at the top, 1 at the bottom */
export const height = (snr) => Math.min(1, Math.max(0, (TOP_DB - snr) / (TOP_DB - BOTTOM_DB)));

/** @param {{seed: import("./book.js").Row[]}} props packets that were heard before this page was opened */
export function Scope({ seed }) {
  const canvas = useRef(null);
  const seen = useRef(null);
  const [words, setWords] = useState({ receptions: 0, packets: 0, observers: 0 });
  useEffect(() => {
    seen.current = run(canvas.current, setWords);
    return seen.current.stop;
  }, []);
  useEffect(() => seen.current.seed(seed), [seed.length > 0]);
  return html`<figure class="scope" aria-label="Receptions of the last two minutes">
    <figcaption><strong class="num">${count(words.receptions)}</strong> receptions of <strong class="num">${count(words.packets)}</strong> packets by <strong class="num">${count(words.observers)}</strong> observers in two minutes</figcaption>
    <canvas ref=${canvas} aria-hidden="true"></canvas>
  </figure>`;
}

/** Draw until `stop` is called. */
function run(canvas, setWords) {
  /** @type {Mark[]} */
  let marks = [];
  let frame = 0;
  let rest = 0;
  const stop = onPackets((packets) => {
    const at = Date.now();
    // frames are coalesced; spread their receptions over the frame, so that they do not stand in one column
    packets.forEach((packet, i) =>
      marks.push({ at: at - 90 + (90 * i) / packets.length, snr: packet.snr, type: packet.payload_type, observer: packet.observer_id, hash: packet.hash }),
    );
    if (marks.length > MOST) marks = marks.slice(-MOST);
  });
  const tell = () => {
    marks = marks.filter((mark) => mark.at > Date.now() - WINDOW_MS);
    setWords({ receptions: marks.length, packets: new Set(marks.map((m) => m.hash)).size, observers: new Set(marks.map((m) => m.observer)).size });
  };
  const timer = setInterval(tell, 1000);
  const loop = () => {
    draw(canvas, marks, Date.now());
    const step = (STEP_PX * WINDOW_MS) / Math.max(1, canvas.clientWidth);
    rest = setTimeout(() => (frame = requestAnimationFrame(loop)), calm.value ? 2000 : Math.max(50, step)); // frames between would cost as well
  };
  frame = requestAnimationFrame(loop);
  return {
    seed(rows) {
      const known = new Set(marks.map((mark) => mark.hash));
      const before = rows.filter((row) => !known.has(row.hash)).map((row) => ({ at: row.latest, snr: row.snr, type: row.type, observer: row.observerId, hash: row.hash }));
      marks = [...before, ...marks];
      tell();
    },
    stop() {
      stop();
      clearInterval(timer);
      clearTimeout(rest);
      cancelAnimationFrame(frame);
    },
  };
}

const colors = new Map();
let colorsOf = "";

/** Token values are read once per theme: reading them is slow. */
function color(name) {
  if (colorsOf !== shownTheme.value) {
    colors.clear();
    colorsOf = shownTheme.value;
  }
  if (!colors.has(name)) colors.set(name, token(name));
  return colors.get(name);
}

const shapes = new Map();
const shape = (d) => shapes.get(d) ?? shapes.set(d, new Path2D(d)).get(d);

function draw(canvas, marks, now) {
  const { clientWidth: w, clientHeight: h } = canvas;
  const ratio = devicePixelRatio || 1;
  if (canvas.width !== Math.round(w * ratio) || canvas.height !== Math.round(h * ratio)) {
    canvas.width = Math.round(w * ratio);
    canvas.height = Math.round(h * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, w, h);
  rule(pen, w, h);
  for (const mark of marks) {
    const age = now - mark.at;
    const x = w - 10 - (age / WINDOW_MS) * (w - 46);
    const y = mark.snr === null || mark.snr === undefined ? h - 7 : 8 + height(mark.snr) * (h - 22);
    const look = typeOf(mark.type);
    const size = age < 1200 ? 0.85 + 0.5 * (1 - age / 1200) : 0.85;
    pen.globalAlpha = age > WINDOW_MS - 15_000 ? Math.max(0, (WINDOW_MS - age) / 15_000) : 0.9;
    pen.fillStyle = color(look.color);
    pen.setTransform(ratio * size, 0, 0, ratio * size, ratio * (x - 6 * size), ratio * (y - 6 * size));
    pen.fill(shape(look.shape), "evenodd");
  }
  pen.globalAlpha = 1;
}

/** Lines at +10, 0, -10 and -20 dB. */
function rule(pen, w, h) {
  pen.lineWidth = 1;
  pen.font = `11px ${color("--mono")}`;
  pen.textAlign = "left";
  pen.textBaseline = "middle";
  for (const db of [10, 0, -10, -20]) {
    const y = Math.round(8 + height(db) * (h - 22)) + 0.5;
    pen.strokeStyle = color("--line");
    pen.beginPath();
    pen.moveTo(36, y);
    pen.lineTo(w, y);
    pen.stroke();
    pen.fillStyle = color("--ink-3");
    pen.fillText(db > 0 ? `+${db}` : String(db).replace("-", "−"), 6, y);
  }
}
