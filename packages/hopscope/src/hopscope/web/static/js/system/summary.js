// The figures that say at a glance how much there is and whether it is well.

import { html } from "../ui.js";
import { count, duration, mebibytes } from "../format.js";
import { migrations } from "../migrations.js";
import { collector, isGone } from "../collector.js";
import { Ago } from "../parts/words.js";

const QUIET_S = 300; // a living writer reports while it stores

/** Seconds since the writer last reported, by the server's clock; null: cannot be told. @param {any} perf @param {any} sources */
function silence(perf, sources) {
  const reports = (perf?.writer ?? []).map(({ at }) => at).filter(Boolean);
  return reports.length && sources?.sampleAt ? sources.sampleAt - Math.max(...reports) / 1000 : null;
}

/** In a word, and what an operator should look at, worst first. @returns {{word: string, note: any, bad: boolean}} */
function stateOf(perf, sources) {
  if (isGone()) return { word: "stopped", note: gone(collector.value), bad: true };
  const { failed, error } = migrations.value;
  const silent = silence(perf, sources);
  if (failed || error) return { word: "needs attention", note: failed ? "a migration failed" : error, bad: true };
  if (silent !== null && silent > QUIET_S) return { word: "quiet", note: `the writer stored nothing for ${duration(silent)}`, bad: false };
  return { word: "well", note: "", bad: false };
}

function gone({ state, stoppedAt }) {
  const since = stoppedAt && html`: the collector stopped <${Ago} at=${stoppedAt} />`;
  return html`no new packets can arrive${since}${state === "importing" && ", an import works in its place"}`;
}

/** @param {{stats: any, perf: any, sources: any}} props the answers of /api/stats, /api/perf and /api/mqtt/status */
export function Summary({ stats, perf, sources }) {
  const state = stateOf(perf, sources);
  const sqlite = perf?.sqlite ?? {};
  return html`<dl class="tiles">
    <${Tile} name="Packets" value=${count(stats.totalTransmissions ?? stats.totalPackets)} note=${`${count(stats.packetsLastHour)} receptions in the last hour`} />
    <${Tile} name="Receptions" value=${count(stats.totalObservations)} note=${`${count(stats.packetsLast24h)} in 24 hours`} />
    <${Tile} name="Nodes" value=${count(stats.totalNodesAllTime ?? stats.totalNodes)} note=${`${count(stats.totalNodes)} heard in 7 days`} />
    <${Tile} name="Observers" value=${count(stats.totalObservers)} />
    <${Tile} name="Database" value=${mebibytes(sqlite.dbSizeMB)} note=${`write-ahead log ${mebibytes(sqlite.walSizeMB)}`} />
    <${Tile} name="State" value=${state.word} note=${state.note} bad=${state.bad} />
  </dl>`;
}

function Tile({ name, value, note = "", bad = false }) {
  return html`<div class=${`tile ${bad ? "bad" : ""}`}><dt>${name}</dt><dd class="tile-value num">${value}</dd>${note && html`<dd class="dim">${note}</dd>`}</div>`;
}
