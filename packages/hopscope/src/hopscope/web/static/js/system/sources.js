// The brokers and other sources: connected or not, and what they brought.

import { html } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { count } from "../format.js";
import { fit } from "../text.js";
import { isGone } from "../collector.js";
import { Ago } from "../parts/words.js";

/** @param {{status: any}} props the answer of /api/mqtt/status */
export function Sources({ status }) {
  const sources = status.sources ?? [];
  if (!sources.length) return html`<p class="dim">No source is configured. <a href="/packets">How to connect one</a></p>`;
  const recent = sources.some((source) => typeof source.packetsLast5m === "number");
  return html`<${Wide} label="Sources"><table class="table">
    <thead><tr><th>Source</th><th>State</th><th>Last record</th>${recent && html`<th class="right">In 5 min</th>`}<th class="right">In all</th><th class="right">Connections</th><th>Last error</th></tr></thead>
    <tbody>${sources.map((source) => html`<tr key=${source.name}>
      <td><strong>${fit(source.name, 40)}</strong><div class="dim mono">${fit(source.broker, 60)}</div></td>
      <td><span class="status" data-status=${source.connected ? "online" : "offline"}><span class="lamp" aria-hidden="true"></span>${source.connected ? "connected" : "not connected"}</span>
        <div class="dim">${isGone() ? "no collector" : source.connected ? html`<${Ago} at=${source.lastConnectUnix} none="" />` : html`<${Ago} at=${source.lastDisconnectUnix} none="" />`}</div></td>
      <td><${Ago} at=${source.lastPacketUnix} none="none yet" /></td>
      ${recent && html`<td class="right num">${count(source.packetsLast5m)}</td>`}
      <td class="right num">${count(source.packetsTotal)}</td>
      <td class="right num">${count(source.connectCount)}</td>
      <td>${source.lastError ? fit(source.lastError, 120) : html`<span class="dim">–</span>`}</td>
    </tr>`)}</tbody>
  </table><//>`;
}
