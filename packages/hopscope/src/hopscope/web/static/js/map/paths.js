// Which way a packet went, when that can be told, and its flash on the map. An ambiguous hop is left out, never guessed.

import { Layer, DomUtil } from "../../vendor/leaflet/leaflet.js";
import { token } from "../theme.js";
import { calm } from "../screen.js";
import { typeOf } from "../parts/kind.js";

const SHOWN_MS = 2600;
const MOST = 60; // flashes at once; the oldest leave

/**
 * Finds nodes by the leading bytes of their keys; only repeaters and rooms forward packets.
 * @param {any[]} nodes
 */
export function hopFinder(nodes) {
  const byPrefix = new Map();
  const byKey = new Map();
  for (const node of nodes) {
    const key = node.public_key.toLowerCase();
    byKey.set(key, node);
    if (node.role !== "repeater" && node.role !== "room") continue;
    for (const digits of [2, 4, 6]) {
      const prefix = key.slice(0, digits);
      byPrefix.set(prefix, byPrefix.has(prefix) ? null : node); // null: several nodes begin like this
    }
  }
  return {
    /** @param {string} hop @returns the node, or null when none or several fit */
    byHop: (hop) => byPrefix.get(String(hop).toLowerCase()) ?? null,
    byKey: (key) => byKey.get(String(key ?? "").toLowerCase()) ?? null,
  };
}

/**
 * The places a packet went through, sender first; a gap where a hop is ambiguous.
 * @param {any} packet of the live feed @param {ReturnType<typeof hopFinder>} find
 * @returns {any[][]} stretches of at least two nodes with a position
 */
export function stretches(packet, find) {
  const type = typeOf(packet.payload_type).name;
  if (type === "TRACE" || packet.route_type >= 2) return []; // their path is not the way behind them
  const hops = typeof packet.path_json === "string" ? JSON.parse(packet.path_json || "[]") : (packet.path_json ?? []);
  const resolved = typeof packet.resolved_path === "string" ? JSON.parse(packet.resolved_path || "[]") : (packet.resolved_path ?? []);
  const way = hops.map((hop, i) => (resolved[i] ? find.byKey(resolved[i]) : find.byHop(hop)));
  const sender = type === "ADVERT" ? find.byKey(packet.decoded?.payload?.pubKey) : null;
  const found = [[]];
  for (const node of [sender, ...way, find.byKey(packet.observer_id)]) {
    const placed = node && typeof node.lat === "number" && typeof node.lon === "number";
    if (!placed) found.push([]);
    else if (found.at(-1).at(-1) !== node) found.at(-1).push(node);
  }
  return found.filter((stretch) => stretch.length > 1);
}

/** A canvas above the marks on which packets run along their way and fade. */
export const Flashes = Layer.extend({
  onAdd(map) {
    this._canvas = DomUtil.create("canvas", "flashes leaflet-zoom-hide");
    this._flashes = [];
    map.getPanes().overlayPane.appendChild(this._canvas);
    map.on("move resize zoomend viewreset", this._place, this);
    this._place();
  },

  onRemove(map) {
    map.off("move resize zoomend viewreset", this._place, this);
    cancelAnimationFrame(this._frame);
    this._canvas.remove();
  },

  /** @param {any[][]} way stretches @param {number} type payload type */
  flash(way, type) {
    if (document.hidden) return;
    for (const nodes of way) this._flashes.push({ nodes, color: token(typeOf(type).color), at: performance.now() });
    this._flashes.splice(0, this._flashes.length - MOST);
    this._frame ||= requestAnimationFrame(() => this._draw());
  },

  _place() {
    const map = this._map;
    const size = map.getSize();
    const ratio = Math.min(2, devicePixelRatio || 1);
    DomUtil.setPosition(this._canvas, map.containerPointToLayerPoint([0, 0]));
    this._canvas.width = size.x * ratio;
    this._canvas.height = size.y * ratio;
    this._canvas.style.width = `${size.x}px`;
    this._canvas.style.height = `${size.y}px`;
    this._ratio = ratio;
  },

  _draw() {
    this._frame = 0;
    const map = this._map;
    if (!map) return;
    const pen = this._canvas.getContext("2d");
    pen.setTransform(this._ratio, 0, 0, this._ratio, 0, 0);
    pen.clearRect(0, 0, this._canvas.width, this._canvas.height);
    const now = performance.now();
    this._flashes = this._flashes.filter(({ at }) => now - at < SHOWN_MS);
    pen.lineCap = pen.lineJoin = "round";
    for (const flash of this._flashes) {
      const points = flash.nodes.map((node) => map.latLngToContainerPoint([node.lat, node.lon]));
      draw(pen, points, (now - flash.at) / SHOWN_MS, flash.color);
    }
    if (this._flashes.length) this._frame = requestAnimationFrame(() => this._draw());
  },
});

/** @param {number} age 0..1 */
function draw(pen, points, age, color) {
  const run = calm.value ? 1 : Math.min(1, age * 2.2); // how far it has come
  const reach = run * (points.length - 1);
  pen.globalAlpha = age < 0.55 ? 0.95 : (1 - age) / 0.45;
  pen.beginPath();
  pen.moveTo(points[0].x, points[0].y);
  let tip = points[0];
  for (let i = 1; i < points.length && i - 1 < reach; i++) {
    const part = Math.min(1, reach - (i - 1));
    tip = { x: points[i - 1].x + (points[i].x - points[i - 1].x) * part, y: points[i - 1].y + (points[i].y - points[i - 1].y) * part };
    pen.lineTo(tip.x, tip.y);
  }
  pen.strokeStyle = token("--map-halo");
  pen.lineWidth = 6;
  pen.stroke();
  pen.strokeStyle = color;
  pen.lineWidth = 3;
  pen.stroke();
  pen.beginPath();
  pen.arc(tip.x, tip.y, 5, 0, 2 * Math.PI);
  pen.fillStyle = color;
  pen.fill();
  pen.globalAlpha = 1;
}
