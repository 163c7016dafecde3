// The live feed: one EventSource for the whole app, its state, and who listens. Re-opens by itself with back-off.

import { signal } from "./ui.js";

/** "connecting", "live", "waiting" (lost, trying again) or "offline" (this device has no network) */
export const liveState = signal("connecting");
/** When the last packet frame came, ms; null: none yet. */
export const lastFrameAt = signal(null);

/** @type {Set<(packets: any[]) => void>} */
const packetListeners = new Set();
/** @type {Set<() => void>} */
const resyncListeners = new Set();

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 20_000;
let wait = FIRST_WAIT_MS;
let source = null;
let timer = 0;
let lost = false;
let lastId = "";

/** Call `listen` with every frame of packets; returns the way to stop. */
export function onPackets(listen) {
  packetListeners.add(listen);
  return () => packetListeners.delete(listen);
}

/** Call `reload` when events were missed and a list must be loaded anew. */
export function onResync(reload) {
  resyncListeners.add(reload);
  return () => resyncListeners.delete(reload);
}

const resync = () => resyncListeners.forEach((reload) => reload());

/** Open the feed. Calling again re-opens it at once. */
export function connect() {
  clearTimeout(timer);
  source?.close();
  source = new EventSource(lastId ? `/api/live?after=${encodeURIComponent(lastId)}` : "/api/live");
  liveState.value = navigator.onLine === false ? "offline" : "connecting";
  source.addEventListener("open", opened);
  source.addEventListener("packets", received);
  source.addEventListener("resync", resync);
  source.addEventListener("error", failed);
}

function opened() {
  wait = FIRST_WAIT_MS;
  liveState.value = "live";
  if (lost && !lastId) resync(); // nothing to resume from: what was missed is unknown
  lost = false;
}

/** @param {MessageEvent} event */
function received(event) {
  const { packets } = JSON.parse(event.data);
  if (event.lastEventId) lastId = event.lastEventId;
  lastFrameAt.value = Date.now();
  packetListeners.forEach((listen) => listen(packets));
}

function failed() {
  liveState.value = navigator.onLine === false ? "offline" : "waiting";
  if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
  lost = true;
  clearTimeout(timer);
  timer = setTimeout(connect, wait);
  wait = Math.min(wait * 2, LONGEST_WAIT_MS);
}

addEventListener("online", connect);
addEventListener("offline", () => (liveState.value = "offline"));
