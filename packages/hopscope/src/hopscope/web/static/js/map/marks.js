// Marks of nodes on the map's canvas: the role's shape and colour, one mark with a number where several would overlap.

import { Canvas, CircleMarker } from "../../vendor/leaflet/leaflet.js";
import { ROLE_COLORS, ROLE_SHAPES } from "../parts/kind.js";
import { token } from "../theme.js";

const CELL_PX = 46; // nodes closer than about this share one mark
const shapes = new Map();
const shapeOf = (role) => {
  const d = ROLE_SHAPES[role] ?? ROLE_SHAPES.companion;
  return shapes.get(d) ?? shapes.set(d, new Path2D(d)).get(d);
};

/** A node, or a group of nodes, as a path of the canvas renderer: clicks and hovers are found by its radius. */
export const Mark = CircleMarker.extend({
  _updatePath() {
    this._renderer._drawMark(this);
  },
});

Canvas.include({
  _drawMark(layer) {
    if (!this._drawing || layer._empty()) return;
    const pen = this._ctx;
    const { x, y } = layer._point;
    pen.save();
    if (layer.options.size > 1) group(pen, x, y, layer._radius, layer.options);
    else node(pen, x, y, layer.options);
    pen.restore();
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
