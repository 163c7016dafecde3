// The base map that needs no network: coasts, borders and a grid of degrees, drawn onto canvas tiles.

import { GridLayer, CRS, DomUtil } from "../../vendor/leaflet/leaflet.js";
import { feature, mesh } from "../../vendor/topojson-client/index.js";
import { token } from "../theme.js";

const ATLAS = new URL("../../vendor/world-atlas/countries-50m.json", import.meta.url);

/** @typedef {{points: Float64Array, west: number, east: number, north: number, south: number}} Line in units of the world's width */

let atlas = null;

/** Coast rings and border lines in world units; loaded once. @returns {Promise<{land: Line[][], borders: Line[]}>} */
export function loadAtlas() {
  atlas ??= fetch(ATLAS)
    .then((answer) => {
      if (!answer.ok) throw new Error(`The base map answered ${answer.status}.`);
      return answer.json();
    })
    .then((topology) => ({
      land: feature(topology, topology.objects.land).features.flatMap(({ geometry }) => (geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates)).map((rings) => rings.map(project)),
      borders: mesh(topology, topology.objects.countries, (a, b) => a !== b).coordinates.map(project),
    }))
    .catch((error) => {
      atlas = null; // the next visit tries again
      throw error;
    });
  return atlas;
}

/** Web Mercator, x and y in 0..1. @param {[number, number][]} coordinates @returns {Line} */
function project(coordinates) {
  const points = new Float64Array(coordinates.length * 2);
  const line = { points, west: 2, east: -1, north: 2, south: -1 };
  const polar = coordinates.some(([, lat]) => lat < -84); // Antarctica goes round the world on purpose
  let turn = 0;
  coordinates.forEach(([degrees, lat], i) => {
    const before = coordinates[i - 1]?.[0] ?? degrees;
    if (!polar && Math.abs(degrees - before) > 180) turn += degrees < before ? 360 : -360; // goes on past 180 degrees
    const lon = degrees + turn;
    const sin = Math.sin((Math.max(-85.06, Math.min(85.06, lat)) * Math.PI) / 180);
    const x = (points[2 * i] = lon / 360 + 0.5);
    const y = (points[2 * i + 1] = 0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI));
    line.west = Math.min(line.west, x);
    line.east = Math.max(line.east, x);
    line.north = Math.min(line.north, y);
    line.south = Math.max(line.south, y);
  });
  return line;
}

// degrees between grid lines, per zoom
const STEPS = [30, 30, 20, 10, 10, 5, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.05, 0.02, 0.01, 0.005, 0.005, 0.002, 0.001];

export const BaseMap = GridLayer.extend({
  options: { tileSize: 512, updateWhenZooming: false, keepBuffer: 1, className: "basemap" },

  createTile(coords, done) {
    const tile = DomUtil.create("canvas");
    const ratio = Math.min(2, devicePixelRatio || 1);
    const size = this.getTileSize().x;
    tile.width = tile.height = size * ratio;
    loadAtlas().then(
      (shapes) => {
        paint(tile.getContext("2d"), ratio, size, coords, shapes);
        done(null, tile);
      },
      (error) => done(error, tile),
    );
    return tile;
  },
});

function paint(pen, ratio, size, { x, y, z }, { land, borders }) {
  const scale = CRS.EPSG3857.scale(z); // pixels of the whole world
  const left = x * size;
  const top = y * size;
  const near = (line, world) =>
    (line.east + world) * scale > left - 4 && (line.west + world) * scale < left + size + 4 && line.south * scale > top - 4 && line.north * scale < top + size + 4;
  const trace = ({ points }, world) => {
    let lastX = Infinity;
    let lastY = Infinity;
    for (let i = 0; i < points.length; i += 2) {
      const px = (points[i] + world) * scale - left;
      const py = points[i + 1] * scale - top;
      const end = i === 0 || i === points.length - 2;
      if (!end && Math.abs(px - lastX) < 0.7 && Math.abs(py - lastY) < 0.7) continue; // nothing smaller than a pixel
      i === 0 ? pen.moveTo(px, py) : pen.lineTo(px, py);
      lastX = px;
      lastY = py;
    }
  };
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.fillStyle = token("--map-water");
  pen.fillRect(0, 0, size, size);
  pen.lineJoin = "round";
  // what crosses the 180th meridian belongs to the neighbouring copies of the world, too
  const each = (rings) => [-1, 0, 1].forEach((world) => near(rings[0], world) && rings.forEach((ring) => trace(ring, world)));
  const coast = () => {
    pen.beginPath();
    land.forEach(each);
  };
  coast();
  pen.fillStyle = token("--map-land");
  pen.fill("evenodd");
  degrees(pen, { x, y, z }, scale, left, top, size);
  coast(); // once more: the grid lies between the fill and the line
  pen.strokeStyle = token("--map-coast");
  pen.lineWidth = 1.2;
  pen.stroke();
  pen.beginPath();
  borders.forEach((line) => each([line]));
  pen.strokeStyle = token("--map-border");
  pen.setLineDash([5, 4]);
  pen.lineWidth = 1;
  pen.stroke();
  pen.setLineDash([]);
}

/** Meridians and parallels with their degrees. */
function degrees(pen, { x, y, z }, scale, left, top, size) {
  const step = STEPS[Math.min(z, STEPS.length - 1)];
  const digits = step < 0.01 ? 3 : step < 0.1 ? 2 : step < 1 ? (step === 0.25 ? 2 : 1) : 0;
  const lonAt = (px) => ((left + px) / scale - 0.5) * 360;
  const latAt = (py) => (Math.atan(Math.sinh(Math.PI * (1 - (2 * (top + py)) / scale))) * 180) / Math.PI;
  const yOf = (lat) => {
    const sin = Math.sin((lat * Math.PI) / 180);
    return (0.5 - Math.log((1 + sin) / (1 - sin)) / (4 * Math.PI)) * scale - top;
  };
  pen.strokeStyle = token("--map-grid");
  pen.fillStyle = token("--ink-3");
  pen.lineWidth = 1;
  pen.font = `10px ${token("--mono")}`;
  pen.beginPath();
  const words = [];
  for (let k = Math.ceil(lonAt(0) / step); k * step < lonAt(size); k++) {
    const px = Math.round(((k * step) / 360 + 0.5) * scale - left) + 0.5;
    pen.moveTo(px, 0);
    pen.lineTo(px, size);
    if (y % 2 === 0 && px < size - 48) words.push([`${Math.abs(k * step).toFixed(digits)}°${k < 0 ? "W" : "E"}`, px + 4, 14]);
  }
  for (let k = Math.ceil(latAt(size) / step); k * step < latAt(0); k++) {
    if (Math.abs(k * step) > 85) continue;
    const py = Math.round(yOf(k * step)) + 0.5;
    pen.moveTo(0, py);
    pen.lineTo(size, py);
    if (x % 2 === 0 && py > 26) words.push([`${Math.abs(k * step).toFixed(digits)}°${k < 0 ? "S" : "N"}`, 6, py - 4]);
  }
  pen.stroke();
  pen.globalAlpha = 0.75;
  words.forEach(([text, px, py]) => pen.fillText(text, px, py));
  pen.globalAlpha = 1;
}
