// How values are written: times, durations, numbers, sizes, radio figures. Pure functions.

const ABSOLUTE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT_CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const NUMBER = new Intl.NumberFormat(undefined);

/**
 * Any time the API writes, as milliseconds: ISO text, epoch seconds or milliseconds.
 * @param {unknown} value
 * @returns {number | null} null when absent, zero or unreadable
 */
export function toMs(value) {
  if (value === null || value === undefined || value === "" || value === 0) return null;
  const ms = typeof value === "number" ? (value < 1e11 ? value * 1000 : value) : Date.parse(String(value));
  return Number.isFinite(ms) ? ms : null;
}

/** "now", "12 s ago", "3 min ago", "5 h ago", "2 d ago"; "in 3 min" for a clock that runs ahead. */
export function relative(ms, now) {
  const s = Math.round((now - ms) / 1000);
  if (Math.abs(s) < 3) return "now";
  const text = span(Math.abs(s));
  return s < 0 ? `in ${text}` : `${text} ago`;
}

/** A length of time in its largest sensible unit. */
export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

/** A length of time in two units, for uptimes and time left. */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

/** The seconds between two receptions, as "+0.4 s". */
export function offset(ms) {
  return ms < 10_000 ? `+${(ms / 1000).toFixed(1)} s` : `+${span(ms / 1000)}`;
}

export const absolute = (ms) => ABSOLUTE.format(ms);
export const clock = (ms) => CLOCK.format(ms);
export const shortClock = (ms) => SHORT_CLOCK.format(ms);
export const day = (ms) => DAY.format(ms);

/** @returns {string} digits grouped; an en dash when unknown */
export function count(value) {
  return typeof value === "number" && Number.isFinite(value) ? NUMBER.format(value) : "–";
}

/** Receptions of a packet; 0: not counted yet, as while its history is being imported. */
export const receptions = (value) => count(value || null);

/** A figure with a unit and at most `digits` decimals; an en dash when unknown. */
export function figure(value, unit = "", digits = 1) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  const text = value.toLocaleString(undefined, { maximumFractionDigits: digits });
  return unit ? `${text} ${unit}` : text;
}

/** Decibels with a true minus sign; dB with one decimal, so that a column of them lines up, dBm as it comes. */
export function decibel(value, unit = "dB") {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  return `${value < 0 ? "−" : value > 0 ? "+" : ""}${Math.abs(value).toLocaleString(undefined, { minimumFractionDigits: unit === "dBm" ? 0 : 1, maximumFractionDigits: 1 })} ${unit}`.trim();
}

export function mebibytes(value) {
  if (typeof value !== "number" || !Number.isFinite(value)) return "–";
  return value >= 1024 ? `${(value / 1024).toFixed(1)} GB` : `${value.toFixed(value < 10 ? 1 : 0)} MB`;
}

export function percent(done, total) {
  if (!(total > 0) || !(done >= 0)) return null;
  return Math.min(100, (100 * done) / total);
}

/** "A1B2C3D4…" */
export const shortKey = (key, digits = 8) => (key && key.length > digits ? `${key.slice(0, digits)}…` : (key ?? ""));

/** Latitude and longitude as an operator reads them. */
export function position(lat, lon) {
  const part = (value, plus, minus) => `${Math.abs(value).toFixed(4)}° ${value < 0 ? minus : plus}`;
  return `${part(lat, "N", "S")}, ${part(lon, "E", "W")}`;
}
