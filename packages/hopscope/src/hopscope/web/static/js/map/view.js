// The Leaflet map as one object: base map, marks, popups, flashes. Popups are built of DOM nodes, never of HTML text.

import { Map as LeafletMap, TileLayer, LayerGroup, Canvas, Popup, Control as AnyControl, latLngBounds } from "../../vendor/leaflet/leaflet.js";
import { fit } from "../text.js";
import { relative, position, toMs } from "../format.js";
import { roleLabel } from "../parts/kind.js";
import { BaseMap } from "./basemap.js";
import { Mark, gather, groupFacts, labelled } from "./marks.js";
import { Flashes, hopFinder, stretches } from "./paths.js";

/** @type {any} */
const Control = AnyControl; // its kinds are properties that no type knows
const APART_ZOOM = 13; // from here on every node has its own mark
const LABEL_ZOOM = 8;
const LABEL_MOST = 400; // marks; with more, names would cost more than they tell
const LABEL_ORDER = ["sensor", "companion", "room", "repeater"]; // the last gets its name first
const xy = ({ x, y }) => ({ x, y });
const STALE_MS = 3 * 24 * 3600e3; // flood adverts come every 47 h by default: dim after three days

// Leaflet frees a tile's memory with a data: image, which the content policy refuses; an empty attribute does as well.
const Tiles = TileLayer.extend({
  _abortLoading() {
    for (const key of Object.keys(this._tiles)) {
      const { coords, el } = this._tiles[key];
      if (coords.z === this._tileZoom || el.complete) continue;
      el.removeAttribute("src");
      el.remove();
      delete this._tiles[key];
    }
  },
  _removeTile(key) {
    const tile = this._tiles[key];
    if (tile) TileLayer.prototype._removeTile.call(this, key);
  },
});

/** @param {string} tag @param {string} text @param {string} [className] */
function element(tag, text, className) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** @param {any} node @returns {HTMLElement} */
export function popupOf(node) {
  const box = element("div", "", "node-popup");
  const name = element("bdi", fit(node.name, 48) || "unnamed", "air strong");
  name.dir = "auto";
  const link = /** @type {HTMLAnchorElement} */ (element("a", "Open node"));
  link.href = `/nodes/${node.public_key}`;
  const heard = toMs(node.last_seen);
  box.append(name, element("div", roleLabel(node.role), "dim"), element("div", heard === null ? "never heard" : `heard ${relative(heard, Date.now())}`, "dim"), element("div", position(node.lat, node.lon), "num"), link);
  return box;
}

export class NodeMap {
  /** @param {HTMLElement} place @param {{tiles: {url: string, attribution: string} | null, view?: {lat: number, lon: number, zoom: number}}} options */
  constructor(place, { tiles, view }) {
    this.map = new LeafletMap(place, {
      renderer: new Canvas({ padding: 0.3, tolerance: 6 }), zoomControl: false, attributionControl: false, minZoom: 2, maxZoom: 17,
      worldCopyJump: true, zoomSnap: 0.5, maxBounds: [[-86, -720], [86, 720]], preferCanvas: true,
    });
    this.map.addControl(new Control.Zoom({ position: "bottomright" }));
    this.map.addControl(new Control.Scale({ imperial: false, position: "bottomleft" }));
    this.base = new BaseMap().addTo(this.map);
    if (tiles) {
      new Tiles(tiles.url, { maxZoom: 19 }).addTo(this.map);
      const credit = new Control.Attribution({ prefix: false, position: "bottomleft" }).addTo(this.map);
      credit._container.textContent = tiles.attribution; // text, whatever the configuration says
    }
    this.marks = new LayerGroup().addTo(this.map);
    this.flashes = new Flashes().addTo(this.map);
    this.nodes = [];
    this.chosen = "";
    this.find = hopFinder([]);
    this.placed = Boolean(view);
    this.map.setView(view ? [view.lat, view.lon] : [30, 10], view?.zoom ?? 2);
    this.map.on("zoomend", () => this.draw());
    this.resized = new ResizeObserver(() => this.map.invalidateSize({ pan: false }));
    this.resized.observe(place);
  }

  remove() {
    this.resized.disconnect();
    this.map.remove();
  }

  /** @param {any[]} all nodes, for resolving hops @param {any[]} shown those with a mark @param {number} [covered] as for fit */
  show(all, shown, covered = 0) {
    this.find = hopFinder(all);
    this.nodes = shown;
    if (!this.placed && shown.length) this.fit(covered);
    this.draw();
  }

  /** Show where the mesh is; `covered` pixels at the left are hidden by a panel. */
  fit(covered = 0) {
    if (!this.nodes.length) return;
    this.placed = true;
    this.map.fitBounds(latLngBounds(core(this.nodes)), { paddingTopLeft: [40 + covered, 64], paddingBottomRight: covered ? [120, 48] : [40, 40], maxZoom: 12, animate: false });
  }

  /** Colours changed. */
  repaint() {
    this.base.redraw();
    this.draw();
  }

  draw() {
    this.marks.clearLayers();
    const zoom = this.map.getZoom();
    const now = Date.now();
    const place = (node) => this.map.project([node.lat, node.lon], zoom);
    const groups = gather(this.nodes, place, zoom >= APART_ZOOM).sort((a, b) => LABEL_ORDER.indexOf(b[0].role) - LABEL_ORDER.indexOf(a[0].role));
    const places = groups.map((nodes) => ({ ...xy(place(nodes.length > 1 ? groupFacts(nodes) : nodes[0])), text: nodes.length > 1 || zoom < LABEL_ZOOM || groups.length > LABEL_MOST ? "" : fit(nodes[0].name, 22) }));
    const named = labelled(places);
    groups.forEach((nodes, i) => {
      if (nodes.length === 1) this.#node(nodes[0], now, named.has(i) ? places[i].text : "");
      else this.#group(nodes, zoom);
    });
  }

  #node(node, now, label) {
    const mark = new Mark([node.lat, node.lon], {
      radius: 9, label, role: node.role, size: 1, chosen: node.public_key === this.chosen, stale: now - (toMs(node.last_seen) ?? 0) > STALE_MS,
    });
    mark.on("click", () => this.open(node));
    mark.addTo(this.marks);
  }

  #group(nodes, zoom) {
    const { lat, lon, roles } = groupFacts(nodes);
    const mark = new Mark([lat, lon], { radius: 15 + Math.min(9, Math.sqrt(nodes.length)), size: nodes.length, roles });
    mark.on("click", () => {
      const bounds = latLngBounds(nodes.map((node) => [node.lat, node.lon]));
      const closer = Math.min(APART_ZOOM, Math.max(zoom + 1.5, this.map.getBoundsZoom(bounds.pad(0.2))));
      this.map.setView(bounds.getCenter(), closer);
    });
    mark.addTo(this.marks);
  }

  /** Show a node's popup; far out, move closer first. */
  open(node, { move = false } = {}) {
    this.chosen = node.public_key;
    if (move) this.map.setView([node.lat, node.lon], Math.max(this.map.getZoom(), APART_ZOOM), { animate: false });
    this.draw();
    const popup = new Popup({ className: "chart-popup", autoPanPadding: [24, 24], offset: [0, -4] });
    popup.setLatLng([node.lat, node.lon]).setContent(popupOf(node)).openOn(this.map);
    popup.on("remove", () => {
      this.chosen = "";
      if (this.map._loaded && this.marks._map) this.draw();
    });
  }

  /** @param {any[]} packets of the live feed @returns {number} how many could be drawn */
  flash(packets) {
    let drawn = 0;
    for (const packet of packets) {
      const way = stretches(packet, this.find);
      if (way.length) this.flashes.flash(way, packet.payload_type);
      drawn += way.length ? 1 : 0;
    }
    return drawn;
  }
}

/** Positions where most of the mesh is: a few far or wrong coordinates must not zoom the map out to the world. */
export function core(nodes) {
  const points = nodes.map((node) => [node.lat, node.lon]);
  if (points.length < 8) return points;
  const middle = (i) => points.map((p) => p[i]).sort((a, b) => a - b)[points.length >> 1];
  const centre = [middle(0), middle(1)];
  const far = (p) => Math.hypot(p[0] - centre[0], p[1] - centre[1]);
  const usual = points.map(far).sort((a, b) => a - b)[points.length >> 1];
  return points.filter((p) => far(p) <= Math.max(usual * 3, 0.05));
}
