// Marks of nodes on the map's canvas: the role's shape and colour, one mark with a number where several would overlap.

import { Canvas, CircleMarker } from "../../vendor/leaflet/leaflet.js";
import { ROLE_COLORS, ROLE_SHAPES } from "../parts/kind.js";
import { token } from "../theme.js";

const CELL_PX = 38; // nodes closer than about this share one mark
const shapes = new Map();
const shapeOf = (role) => {
  const d = ROLE_SHAPES[role] ?? ROLE_SHAPES.companion;
  return shapes.get(d) ?? shapes.set(d, new Path2D(d)).get(d);
};

const LABEL_GAP = 10;
const LABEL_HEIGHT = 15;
const ruler = document.createElement("canvas").getContext("2d");

/** A node, or a group of nodes, as a path of the canvas renderer: clicks and hovers are found by its radius. */
export const Mark = CircleMarker.extend({
  _updatePath() {
    this._renderer._drawMark(this);
  },

  /** What must be painted again when the mark changes: the label, too. */
  _updateBounds() {
    CircleMarker.prototype._updateBounds.call(this);
    if (this.options.label) this._pxBounds.extend(this._point.add([LABEL_GAP + labelWidth(this.options.label), LABEL_HEIGHT]));
  },
});

/** @param {string} text */
export function labelWidth(text) {
  ruler.font = `600 11px ${token("--sans")}`;
  return ruler.measureText(text).width + 4;
}

/**
 * Which nodes can carry their name without covering a mark or another name. Greedy, in the order given.
 * @param {{x: number, y: number, text: string}[]} places every mark; an empty text is only in the way
 * @returns {Set<number>} indexes
 */
export function labelled(places) {
  const taken = places.map(({ x, y }) => [x - 8, y - 8, x + 8, y + 8]);
  const free = (box, own) => taken.every((other, i) => i === own || box[2] < other[0] || box[0] > other[2] || box[3] < other[1] || box[1] > other[3]);
  const chosen = new Set();
  places.forEach(({ x, y, text }, i) => {
    const box = text ? [x + LABEL_GAP, y - LABEL_HEIGHT / 2, x + LABEL_GAP + labelWidth(text), y + LABEL_HEIGHT / 2] : null;
    if (!box || !free(box, i)) return;
    chosen.add(i);
    taken.push(box);
  });
  return chosen;
}

Canvas.include({
  _drawMark(layer) {
    if (!this._drawing || layer._empty()) return;
    const pen = this._ctx;
    const { x, y } = layer._point;
    pen.save();
    if (layer.options.size > 1) group(pen, x, y, layer._radius, layer.options);
    else node(pen, x, y, layer.options);
    pen.restore();
    if (layer.options.label) name(pen, x, y, layer.options);
  },
});

function node(pen, x, y, { role, chosen, stale }) {
  const size = chosen ? 1.75 : 1.3;
  pen.translate(x - 6 * size, y - 6 * size);
  pen.scale(size, size);
  pen.lineJoin = "round";
  pen.lineWidth = chosen ? 3.4 : 2.4;
  pen.strokeStyle = chosen ? token("--signal") : token("--map-halo");
  pen.globalAlpha = stale && !chosen ? 0.5 : 1;
  const shape = shapeOf(role);
  pen.stroke(shape);
  pen.fillStyle = token(ROLE_COLORS[role] ?? "--p-ack");
  pen.fill(shape, "evenodd");
}

function name(pen, x, y, { label, stale }) {
  pen.save();
  pen.font = `600 11px ${token("--sans")}`;
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  pen.lineWidth = 3;
  pen.strokeStyle = token("--map-halo");
  pen.globalAlpha = stale ? 0.6 : 0.95;
  pen.strokeText(label, x + LABEL_GAP, y);
  pen.fillStyle = token("--ink");
  pen.fillText(label, x + LABEL_GAP, y);
  pen.restore();
}

function group(pen, x, y, radius, { size, roles }) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fillStyle = token("--surface");
  pen.fill();
  // a ring that shows how many of each role there are
  let from = -Math.PI / 2;
  pen.lineWidth = 4;
  for (const [role, many] of roles) {
    const to = from + (2 * Math.PI * many) / size;
    pen.beginPath();
    pen.arc(x, y, radius - 2, from, to);
    pen.strokeStyle = token(ROLE_COLORS[role] ?? "--p-ack");
    pen.stroke();
    from = to;
  }
  pen.fillStyle = token("--ink");
  pen.font = `600 12px ${token("--sans")}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(size), x, y + 0.5);
}

/**
 * Nodes gathered by what would overlap at this zoom.
 * @param {any[]} nodes with lat and lon @param {(node: any) => {x: number, y: number}} place in pixels @param {boolean} apart never gather
 * @returns {any[][]} groups
 */
export function gather(nodes, place, apart) {
  if (apart) return nodes.map((node) => [node]);
  const cells = new Map();
  for (const node of nodes) {
    const { x, y } = place(node);
    const key = `${Math.floor(x / CELL_PX)}:${Math.floor(y / CELL_PX)}`;
    const cell = cells.get(key);
    cell ? cell.push(node) : cells.set(key, [node]);
  }
  return [...cells.values()];
}

/** The middle of a group, and how many of each role it has, largest first. */
export function groupFacts(nodes) {
  const roles = new Map();
  let lat = 0;
  let lon = 0;
  for (const node of nodes) {
    roles.set(node.role, (roles.get(node.role) ?? 0) + 1);
    lat += node.lat / nodes.length;
    lon += node.lon / nodes.length;
  }
  return { lat, lon, roles: [...roles].sort((a, b) => b[1] - a[1]) };
}
