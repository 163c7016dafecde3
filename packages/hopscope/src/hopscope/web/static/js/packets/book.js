// The packets on screen, newest first and one per hash: what the API lists, bumped by what the live feed brings.
// Pure bookkeeping, no view. At most MOST rows; the oldest leave.

import { toMs } from "../format.js";

export const MOST = 10_000;
// A packet heard again long after it was last heard moves to the top; echoes of the last seconds are counted in place,
// so that rows do not jump under the reader's eye.
const ECHO_MS = 30_000;

/**
 * @typedef {{hash: string, id: number, type: number, route: number, first: number, latest: number, heard: number,
 *   observerId: string | null, observer: string | null, iata: string | null, hops: string[], resolved: (string | null)[] | null,
 *   snr: number | null, rssi: number | null, payload: any, region: string | null, bumpedAt: number}} Row
 */

/** @param {unknown} text JSON of a list; anything else is an empty path */
function list(text) {
  if (Array.isArray(text)) return text;
  if (typeof text !== "string" || !text) return [];
  try {
    const value = JSON.parse(text);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** @param {unknown} text */
export function parsed(text) {
  if (text && typeof text === "object") return text;
  if (typeof text !== "string" || !text) return {};
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** A packet of the list or of the live feed as a row. @param {any} packet @returns {Row} */
export function toRow(packet) {
  const first = toMs(packet.first_seen ?? packet.timestamp) ?? Date.now();
  const resolved = list(packet.resolved_path);
  return {
    hash: String(packet.hash).toLowerCase(),
    id: packet.id ?? 0,
    type: packet.payload_type,
    route: packet.route_type,
    first,
    latest: toMs(packet.latest) ?? first,
    heard: packet.observation_count ?? packet.count ?? 1,
    observerId: packet.observer_id ?? null,
    observer: packet.observer_name ?? null,
    iata: packet.observer_iata ?? null,
    hops: list(packet.path_json),
    resolved: resolved.length ? resolved : null,
    snr: packet.snr ?? null,
    rssi: packet.rssi ?? null,
    payload: packet.decoded?.payload ?? parsed(packet.decoded_json),
    region: packet.scope_name ?? null,
    bumpedAt: 0,
  };
}

export class Book {
  constructor() {
    /** @type {Row[]} */
    this.rows = [];
    /** @type {Map<string, Row>} */
    this.byHash = new Map();
  }

  /** Replace everything by a page of the list. @param {any[]} packets */
  load(packets) {
    this.rows = [];
    this.byHash.clear();
    this.append(packets);
  }

  /** Add an older page at the end; rows already known stay. @param {any[]} packets */
  append(packets) {
    for (const packet of packets) {
      const row = toRow(packet);
      if (this.byHash.has(row.hash) || this.rows.length >= MOST) continue;
      this.byHash.set(row.hash, row);
      this.rows.push(row);
    }
  }

  /**
   * Take receptions of the live feed. @param {any[]} packets @param {number} at when they came, ms
   * @returns {number} how many of them were packets not on screen before
   */
  hear(packets, at) {
    let fresh = 0;
    const up = new Set();
    for (const packet of packets) {
      const row = toRow(packet);
      const known = this.byHash.get(row.hash);
      if (!known) {
        row.bumpedAt = row.latest = at;
        this.byHash.set(row.hash, row);
        up.add(row);
        fresh += 1;
      } else if (bump(known, row, at)) {
        up.add(known);
      }
    }
    if (up.size) this.#toTop(up);
    return fresh;
  }

  /** @param {Set<Row>} up oldest first */
  #toTop(up) {
    const rest = this.rows.filter((row) => !up.has(row));
    this.rows = [...[...up].reverse(), ...rest];
    for (const row of this.rows.splice(MOST)) this.byHash.delete(row.hash);
  }
}

/** Count a reception of a known packet. @returns {boolean} whether it belongs at the top again */
function bump(known, row, at) {
  const again = at - known.latest > ECHO_MS;
  known.heard = Math.max(known.heard, row.heard); // the feed carries the total, so a frame that comes twice counts once
  known.latest = Math.max(known.latest, at);
  known.bumpedAt = at;
  if (row.hops.length > known.hops.length) {
    Object.assign(known, { hops: row.hops, resolved: row.resolved, observer: row.observer, observerId: row.observerId, iata: row.iata, snr: row.snr, rssi: row.rssi });
  }
  return again;
}
