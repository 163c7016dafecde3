// Filters of the packet list: how they stand in the URL, what they ask of the API, and whether a live packet passes.

import { typeOf } from "../parts/kind.js";

/** Relative times that the list offers, in ms. */
export const SPANS = { "15m": 900e3, "1h": 3600e3, "6h": 6 * 3600e3, "24h": 24 * 3600e3, "7d": 7 * 24 * 3600e3 };
export const NAMES = ["type", "observer", "region", "channel", "node", "hash", "since", "until"];

/** The filters of a query; unknown names are left alone. @param {Record<string, string>} query */
export function filtersOf(query) {
  return Object.fromEntries(NAMES.filter((name) => query[name]).map((name) => [name, query[name]]));
}

/** Query for /api/packets. @param {Record<string, string>} filters @param {number} now */
export function asRequest(filters, now) {
  const { since, until, hash, ...rest } = filters;
  const begin = since && SPANS[since] ? new Date(now - SPANS[since]).toISOString() : since;
  return { ...rest, hash: hash?.toLowerCase(), since: begin, until, groupByHash: "true" };
}

/** Whether new packets can belong to the list at all. */
export const endsInPast = (filters) => Boolean(filters.until);

/**
 * Whether a live packet passes, as far as it can be told here; the server decides when the list is loaded.
 * @param {any} packet of the live feed @param {Record<string, string>} filters @param {(id: string) => string | undefined} iataOf
 */
export function passes(packet, filters, iataOf) {
  const payload = packet.decoded?.payload ?? {};
  const checks = {
    type: (value) => String(packet.payload_type) === value,
    observer: (value) => value.split(",").some((id) => same(id, packet.observer_id)),
    region: (value) => value.split(",").some((code) => same(code, packet.observer_iata ?? iataOf(packet.observer_id))),
    hash: (value) => same(value, packet.hash),
    channel: (value) => typeOf(packet.payload_type).name.startsWith("GRP") && channelOf(payload) === value,
    node: (value) => same(value, payload.pubKey) || same(value, payload.name) || (packet.resolved_path ?? []).includes?.(value),
    until: () => false,
  };
  return Object.entries(filters).every(([name, value]) => !checks[name] || checks[name](value));
}

const same = (a, b) => Boolean(a) && Boolean(b) && String(a).toLowerCase() === String(b).toLowerCase();

/** The channel a payload belongs to, named as in /api/channels. @param {any} payload */
export function channelOf(payload) {
  if (payload.channel) return payload.channel;
  return payload.channelHashHex ? `enc_${String(payload.channelHashHex).toUpperCase()}` : null;
}
