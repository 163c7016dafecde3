// Whether a process collects packets, as the server last said in the answer to /api/healthz.

import { signal } from "./ui.js";

const PATIENCE_MS = 3000; // a collector that is started again at once is no news

/** @typedef {{state: string, stoppedAt: string | null, lastReportAt: string | null}} Collector */

/** @type {{value: Collector}} state: "collecting", "importing" (an import in its place), "stopped", "unknown" */
export const collector = signal({ state: "unknown", stoppedAt: null, lastReportAt: null });
let missedAt = 0;

/** @param {Collector} facts whether no packet can arrive; not knowing is no reason to say so */
const gone = ({ state }) => state === "stopped" || state === "importing";

export const isGone = () => gone(collector.value);

/** Take what /api/healthz says. @param {Collector | undefined} found @param {number} now */
export function takeCollector(found, now = Date.now()) {
  const facts = found ?? { state: "unknown", stoppedAt: null, lastReportAt: null };
  missedAt = gone(facts) ? missedAt || now : 0;
  if (gone(facts) && collector.value.state === "collecting" && now - missedAt < PATIENCE_MS) return;
  collector.value = facts;
}
