// The state of data migrations as the banner and the System page show it: polled, in words, and when a line may leave.

import { signal } from "./ui.js";
import { request } from "./api.js";
import { collector, takeCollector } from "./collector.js";

const POLL_MS = 900; // a migration must show within 2 s, and the server's answer may be a second old
const FAREWELL_MS = 4000; // and a finished one leave within 10 s, polls and the server's memory included

/** @typedef {{name: string, status: string, rowsProcessed: number, rowsTotal: number | null, rowsTotalEstimated?: boolean,
 *   rate: number | null, etaSeconds: number | null, errorMessage: string | null, reason: string | null, quarantined?: number,
 *   startedAt: string | null, endedAt: string | null, acknowledgedAt?: string | null}} Migration */

/** @type {{value: {list: Migration[], error: string | null, failed: boolean | null}}} */
export const migrations = signal({ list: [], error: null, failed: null });
/** Names that were under way on this page and have ended since: name to the time the end was seen. */
const ended = new Map();
const underWay = new Set();

const WORDS = {
  tx_last_seen_backfill_v1: "Last-heard times of packets",
  tx_observation_count_v1: "Reception counts of packets",
  tx_shown_observation_v1: "Paths that lists show",
  observer_totals_v1: "Totals of observers",
  rollup_traffic_v1: "Traffic per hour",
  rollup_first_receptions_v1: "New packets per hour",
  rollup_hash_sizes_v1: "Path hash sizes per hour",
  rollup_hops_v1: "Hops of paths",
  channel_index_v1: "Channels of messages",
  channel_last_message_v1: "Last messages of channels",
  node_relations_v1: "Adverts of nodes",
};

/** A migration's name as people read it: "import_2_observations", "rollup_hops_v1.import_2". */
export function inWords(name) {
  const [, number, table] = /^import_(\d+)_(\w+)$/.exec(name) ?? [];
  if (table) return `Import ${number}: ${table.replaceAll("_", " ")}`;
  const [, first, again] = /^(.*?)(?:\.import_(\d+))?$/.exec(name) ?? [];
  const text = WORDS[first] ?? first.replace(/_v\d+$/, "").replace(/[_\s]+/g, " ").trim();
  if (!text) return name;
  return text.charAt(0).toUpperCase() + text.slice(1) + (again ? `, import ${again}` : "");
}

// which statuses the banner shows, and how a line of that status begins
export const SHOWN = {
  running: "running",
  verifying: "being checked",
  paused: "paused",
  interrupted: "interrupted, will continue",
  failed: "failed",
  unknown: "in an unknown state",
};

/** How a line of that status begins; who continues it depends on whether there is a collector. @param {string} status */
export const shownAs = (status) =>
  status === "interrupted" ? `${SHOWN.interrupted} ${collector.value.state === "stopped" ? "when the collector runs again" : "by itself"}` : SHOWN[status];

/** Why it stands, without the state's name, which stands beside it. @param {string | null} reason */
export const whyInWords = (reason) => (reason ?? "").replace(/^interrupted: (?=SIG)/, "stopped by ").replace(/^interrupted: /, "");

/**
 * The lines of the banner. Pure: what is known, and the time.
 * @param {{list: Migration[], failed: boolean | null}} facts @param {Map<string, number>} endings @param {number} now
 */
export function bannerLines({ list, failed }, endings, now) {
  return list.filter((migration) => {
    if (migration.status === "failed") return failed !== false && !migration.acknowledgedAt;
    if (migration.status === "done") return now - (endings.get(migration.name) ?? -Infinity) < FAREWELL_MS;
    return migration.status in SHOWN;
  });
}

/** How many wait for their turn; none while nothing is shown. */
export const waiting = (list) => list.filter(({ status }) => status === "pending").length;

export const linesNow = (now) => bannerLines(migrations.value, ended, now);

function take(health) {
  const list = Array.isArray(health?.async_migrations) ? health.async_migrations : [];
  for (const { name, status } of list) {
    if (status === "done" && underWay.delete(name)) ended.set(name, Date.now());
    if (status === "running" || status === "verifying") underWay.add(name);
  }
  takeCollector(health?.writer);
  migrations.value = { list, error: health?.async_migrations_error ?? null, failed: health?.async_migrations_failed ?? null };
}

/** Ask once, now. A server that cannot be reached leaves what was known. */
export async function refreshMigrations() {
  try {
    take(await request("/api/healthz"));
  } catch (error) {
    if (error.body?.async_migrations) take(error.body); // 503 carries the same keys
  }
}

/** Begin to poll while the page is visible. */
export function watchMigrations() {
  refreshMigrations();
  setInterval(() => document.hidden || refreshMigrations(), POLL_MS);
  document.addEventListener("visibilitychange", () => document.hidden || refreshMigrations());
}
