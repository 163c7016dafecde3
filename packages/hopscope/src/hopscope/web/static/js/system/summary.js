// The figures that say at a glance how much there is and whether it is well.

import { html } from "../ui.js";
import { count, mebibytes } from "../format.js";
import { migrations } from "../migrations.js";

/** @param {{stats: any, perf: any}} props */
export function Summary({ stats, perf }) {
  const { failed, error } = migrations.value;
  const sqlite = perf?.sqlite ?? {};
  return html`<dl class="tiles">
    <${Tile} name="Packets" value=${count(stats.totalTransmissions ?? stats.totalPackets)} note=${`${count(stats.packetsLastHour)} receptions in the last hour`} />
    <${Tile} name="Receptions" value=${count(stats.totalObservations)} note=${`${count(stats.packetsLast24h)} in 24 hours`} />
    <${Tile} name="Nodes" value=${count(stats.totalNodesAllTime ?? stats.totalNodes)} note=${`${count(stats.totalNodes)} heard in 7 days`} />
    <${Tile} name="Observers" value=${count(stats.totalObservers)} />
    <${Tile} name="Database" value=${mebibytes(sqlite.dbSizeMB)} note=${`write-ahead log ${mebibytes(sqlite.walSizeMB)}`} />
    <${Tile} name="State" value=${failed || error ? "needs attention" : "well"} note=${failed ? "a migration failed" : (error ?? "")} bad=${Boolean(failed || error)} />
  </dl>`;
}

function Tile({ name, value, note = "", bad = false }) {
  return html`<div class=${`tile ${bad ? "bad" : ""}`}><dt>${name}</dt><dd class="tile-value num">${value}</dd>${note && html`<dd class="dim">${note}</dd>`}</div>`;
}
