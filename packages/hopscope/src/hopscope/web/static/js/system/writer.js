// How long writes wait for their turn and hold it, now and since this page was opened.

import { html, useEffect, useRef } from "../ui.js";
import { count, figure } from "../format.js";
import { Chart } from "../parts/chart.js";

const KEPT = 240;

/** @param {{figures: any, at: number}} props the answer of /api/perf/write-sources, and when it came */
export function Writer({ figures, at }) {
  const perf = figures.writer_perf ?? {};
  const history = useRef([]);
  useEffect(() => {
    const worst = (key) => Math.max(0, ...Object.values(perf).map((c) => c[key] ?? 0));
    history.current = [...history.current, [at / 1000, worst("wait_ms_p99"), worst("hold_ms_p99")]].slice(-KEPT);
  }, [at]);
  const rows = Object.entries(perf);
  if (!rows.length) return html`<p class="dim">The writer has reported nothing yet.</p>`;
  const columns = [0, 1, 2].map((i) => history.current.map((row) => row[i]));
  return html`
    <div class="table-frame"><table class="table">
      <thead><tr><th>Work</th><th class="right">Turns</th><th class="right">Wait 99 %</th><th class="right">Hold 50 %</th><th class="right">Hold 99 %</th><th class="right">Longest hold</th></tr></thead>
      <tbody>${rows.map(([name, c]) => html`<tr key=${name}>
        <td>${name.replaceAll("_", " ")}</td>
        <td class="right num">${count(c.count)}</td>
        <td class="right num">${ms(c.wait_ms_p99)}</td>
        <td class="right num">${ms(c.hold_ms_p50)}</td>
        <td class="right num">${ms(c.hold_ms_p99)}</td>
        <td class="right num">${ms(c.hold_ms_max)}</td>
      </tr>`)}</tbody>
    </table></div>
    ${columns[0].length > 2 && html`<${Chart} label="Longest waits and holds since this page was opened" unit="ms" data=${columns} series=${[["wait 99 %", "--p-group"], ["hold 99 %", "--p-text"]]} />`}
  `;
}

const ms = (value) => figure(value, "ms", value < 10 ? 1 : 0);
