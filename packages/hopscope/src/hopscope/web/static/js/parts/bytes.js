// A frame byte by byte. Pointing at or focusing bytes marks their field, and a field its bytes.

import { html, useLayoutEffect, useMemo, useRef, useState } from "../ui.js";
import { fit } from "../text.js";

const TINTS = 8;
const WIDE_PX = 480; // from this width on sixteen bytes stand in a row, otherwise eight

/** @typedef {{name: string, start: number, end: number, value: unknown}} Span bytes start..end-1 of the frame */

/**
 * The innermost span of each byte; -1 where none claims it.
 * @param {number} length @param {Span[]} spans
 */
export function owners(length, spans) {
  const owner = new Array(length).fill(-1);
  const widest = spans.map((span, index) => ({ index, ...span })).sort((a, b) => b.end - b.start - (a.end - a.start));
  for (const span of widest) for (let at = span.start; at < Math.min(span.end, length); at++) owner[at] = span.index;
  return owner;
}

/** @param {unknown} value @returns {string} */
function written(value) {
  if (value === null || value === undefined) return "";
  return fit(typeof value === "object" ? JSON.stringify(value) : value, 160);
}

/** @param {{hex: string, spans: Span[]}} props */
export function Bytes({ hex, spans }) {
  const [lit, setLit] = useState(-1);
  const bytes = useMemo(() => hex.match(/../g) ?? [], [hex]);
  const owner = useMemo(() => owners(bytes.length, spans), [bytes, spans]);
  const box = useRef(null);
  const [perRow, setPerRow] = useState(8);
  useLayoutEffect(() => {
    const measure = () => setPerRow(box.current.clientWidth >= WIDE_PX ? 16 : 8);
    const watcher = new ResizeObserver(measure);
    watcher.observe(box.current);
    measure();
    return () => watcher.disconnect();
  }, []);
  const rows = Array.from({ length: Math.ceil(bytes.length / perRow) }, (_, r) => r * perRow);
  const touch = (index) => ({
    onMouseEnter: () => setLit(index),
    onMouseLeave: () => setLit(-1),
    onFocus: () => setLit(index),
    onBlur: () => setLit(-1),
  });
  return html`<div class="bytes" ref=${box}>
    <div class="hex" role="group" aria-label=${`Frame, ${bytes.length} bytes`}>
      ${rows.map((start) => html`<div class="hex-row">
        <span class="hex-at" aria-hidden="true">${start.toString(16).padStart(4, "0")}</span>
        ${runs(owner, start, Math.min(start + perRow, bytes.length)).map(
          (run) => html`<button
            type="button"
            class=${`hex-run ${run.span === lit && lit >= 0 ? "lit" : ""}`}
            data-tint=${run.span < 0 ? "none" : run.span % TINTS}
            ...${touch(run.span)}
            onClick=${() => document.getElementById(`field-${run.span}`)?.scrollIntoView({ block: "nearest" })}
          ><i class="visually-hidden">${spans[run.span]?.name ?? "unclaimed"}: </i>${bytes.slice(run.from, run.to).map((byte) => html`<span>${byte}</span>`)}</button>`,
        )}
      </div>`)}
    </div>
    <ol class="fields" aria-label="Fields of the frame">
      ${spans.map((span, index) => html`<li key=${index}>
        <button type="button" id=${`field-${index}`} class=${`field-row ${index === lit ? "lit" : ""}`} data-tint=${index % TINTS} ...${touch(index)}>
          <span class="field-at num">${span.end - span.start > 1 ? `${span.start}–${span.end - 1}` : span.start}</span>
          <span class="field-name">${fit(span.name, 40)}</span>
          <bdi class="field-value mono">${written(span.value)}</bdi>
        </button>
      </li>`)}
    </ol>
  </div>`;
}

/** Neighbouring bytes of one span between two places. */
function runs(owner, from, to) {
  const found = [];
  for (let at = from; at < to; at++) {
    const last = found.at(-1);
    if (last && last.span === owner[at]) last.to = at + 1;
    else found.push({ span: owner[at], from: at, to: at + 1 });
  }
  return found;
}
