// How long writes wait for their turn and hold it, now and since this page was opened.

import { html, useEffect, useRef } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { count, figure } from "../format.js";
import { Chart } from "../parts/chart.js";
import { Stopped } from "../parts/stopped.js";
import { isGone } from "../collector.js";

const KEPT = 240;

/** @param {{perf: any, at: number}} props the answer of /api/perf, and when it came */
export function Writer({ perf, at }) {
  const parts = perf.writer ?? [];
  const history = useRef([]);
  useEffect(() => {
    const worst = (key) => Math.max(0, ...parts.map((part) => part[key] ?? 0));
    history.current = [...history.current, [at / 1000, worst("wait_p95"), worst("hold_p95")]].slice(-KEPT);
  }, [at]);
  if (!parts.length) return html`<p class="dim">The writer has reported nothing yet.</p>`;
  const last = isGone() && html`<p class="hint bad">The collector <${Stopped} />. These are its last figures.</p>`;
  const columns = [0, 1, 2].map((i) => history.current.map((row) => row[i]));
  return html`
    ${last}
    <${Wide} label="Writer"><table class="table">
      <thead><tr><th>Work</th><th class="right">Turns</th><th class="right">Records</th><th class="right">Wait 95 %</th><th class="right">Hold 50 %</th><th class="right">Hold 95 %</th><th class="right">Longest hold</th><th class="right">Failed</th></tr></thead>
      <tbody>${parts.map((part) => html`<tr key=${part.component}>
        <td>${part.component.replaceAll("_", " ")}</td>
        <td class="right num">${count(part.turns)}</td>
        <td class="right num">${count(part.rows)}</td>
        <td class="right num">${ms(part.wait_p95)}</td>
        <td class="right num">${ms(part.hold_p50)}</td>
        <td class="right num">${ms(part.hold_p95)}</td>
        <td class="right num">${ms(part.hold_max)}</td>
        <td class=${`right num ${part.failures ? "low" : ""}`}>${count(part.failures)}</td>
      </tr>`)}</tbody>
    </table><//>
    ${columns[0].length > 2 && html`<${Chart} label="Longest waits and holds of a turn (95 %), since this page was opened" unit="ms" data=${columns} series=${[["wait", "--p-group"], ["hold", "--p-text"]]} />`}
  `;
}

const ms = (value) => figure(value, "ms", value < 10 ? 1 : 0);
