// A packet's way through the mesh: one chip per hop, the last one being the node the observer heard.

import { html } from "../ui.js";
import { fit } from "../text.js";

const DIGIT_PX = 7.3;
const AROUND_PX = 21; // padding, border and the line to the next chip

/**
 * @param {{hops: string[], room?: number, names?: Map<string, string>, direct?: boolean}} props
 *   hops as hex; `room` in pixels for all chips; `names` resolves a hop to a node's name where that is unambiguous
 */
export function Hops({ hops, room = 190, names, direct = false }) {
  if (!hops.length) return html`<span class="dim">${direct ? "direct" : "heard directly"}</span>`;
  const most = Math.max(2, Math.floor(room / (hops[0].length * DIGIT_PX + AROUND_PX)));
  const cut = hops.length > most;
  const head = cut ? hops.slice(0, most - 2) : hops; // the last one is whom the observer heard: it always stays
  const tail = cut ? hops.slice(-1) : [];
  const chip = (hop) => html`<span class="hop" title=${names?.get(hop)}>${names?.has(hop) ? fit(names.get(hop), 18) : hop}</span>`;
  return html`<span class="hops" aria-label=${`${hops.length} hops: ${hops.join(", ")}`}>
    ${head.map(chip)}${cut && html`<span class="hop-gap">+${hops.length - head.length - 1}</span>`}${tail.map(chip)}
  </span>`;
}
