// How long each endpoint takes to answer.

import { html } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { count, figure } from "../format.js";

const SLOW_MS = 100;

/** @param {{perf: any}} props the answer of /api/perf */
export function Endpoints({ perf }) {
  const rows = Object.entries(perf.endpoints ?? {}).sort(([, a], [, b]) => b.count - a.count);
  if (!rows.length) return html`<p class="dim">No request was measured yet.</p>`;
  const longest = Math.max(1, ...rows.map(([, e]) => e.p95Ms ?? 0));
  return html`<${Wide} label="Answers"><table class="table">
    <thead><tr><th>Endpoint</th><th class="right">Calls</th><th class="right">Median</th><th class="right">95 %</th><th class="right">99 %</th><th class="right">Longest</th></tr></thead>
    <tbody>${rows.map(([path, e]) => html`<tr key=${path}>
      <td class="mono">${path}<div class="meter" aria-hidden="true"><div style=${{ width: `${(100 * (e.p95Ms ?? 0)) / longest}%` }}></div></div></td>
      <td class="right num">${count(e.count)}</td>
      <td class="right num">${ms(e.p50Ms)}</td>
      <td class=${`right num ${e.p95Ms > SLOW_MS ? "low" : ""}`}>${ms(e.p95Ms)}</td>
      <td class="right num">${ms(e.p99Ms)}</td>
      <td class="right num">${ms(e.maxMs)}</td>
    </tr>`)}</tbody>
  </table><//>`;
}

const ms = (value) => figure(value, "ms", value < 10 ? 1 : 0);
