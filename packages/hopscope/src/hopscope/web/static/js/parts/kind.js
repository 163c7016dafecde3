// How payload types, roles and routes look: colour, shape and word together, so that none carries the meaning alone.

import { html } from "../ui.js";
import { PAYLOAD_TYPES, ROLES, ROUTES } from "../generated.js";

// shape on a 12 by 12 grid, and the design token of its colour
const LOOK = {
  ADVERT: ["--p-advert", "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1zm0 3a2 2 0 1 1 0 4 2 2 0 0 1 0-4z"],
  GRP_TXT: ["--p-group", "M1 2.500h10v6H6.500L4 11V8.500H1z"],
  GRP_DATA: ["--p-group", "M1 1h4v4H1zM7 1h4v4H7zM1 7h4v4H1zM7 7h4v4H7z"],
  TXT_MSG: ["--p-text", "M6 .5 11.500 6 6 11.500.5 6z"],
  REQ: ["--p-request", "M6 1l5 10H1z"],
  RESPONSE: ["--p-request", "M1 1h10L6 11z"],
  ACK: ["--p-ack", "M1 6.500 2.800 4.700l2 2L9.200 2 11 3.700 4.900 10.200z"],
  ANON_REQ: ["--p-anon", "M6 1l5 10H1zm0 4.200L3.900 9.500h4.200z"],
  PATH: ["--p-path", "M3 1h6l3 5-3 5H3L0 6z"],
  TRACE: ["--p-trace", "M2.500 1 6 4.500 9.500 1 11 2.500 7.500 6 11 9.500 9.500 11 6 7.500 2.500 11 1 9.500 4.500 6 1 2.500z"],
  MULTIPART: ["--p-multi", "M1 1h10v2.500H1zM1 4.800h10v2.400H1zM1 8.500h10V11H1z"],
  CONTROL: ["--p-control", "M4.500 1h3v3.500H11v3H7.500V11h-3V7.500H1v-3h3.500z"],
  RAW_CUSTOM: ["--p-raw", "M1 1h10v10H1zm2 2v6h6V3z"],
};
const UNKNOWN = ["--p-raw", "M1 1h10v10H1zm2 2v6h6V3z"];

const TYPES = new Map(PAYLOAD_TYPES.map((type) => [type.value, type]));
const ROLE_BY_NAME = new Map(ROLES.map((role) => [role.name, role]));
const ROUTE_BY_VALUE = new Map(ROUTES.map((route) => [route.value, route]));

/** @param {number} value payload type, 0-15 */
export function typeOf(value) {
  const type = TYPES.get(value) ?? { value, name: `TYPE_${value}`, label: `Type ${value}` };
  const [color, shape] = LOOK[type.name] ?? UNKNOWN;
  return { ...type, color, shape };
}

/** @param {number} value */
export const routeLabel = (value) => ROUTE_BY_VALUE.get(value)?.label ?? `Route ${value}`;

/** @param {string} name as the API writes it */
export const roleLabel = (name) => ROLE_BY_NAME.get(name)?.label ?? (name || "unknown");

/** @param {{value: number, short?: boolean}} props */
export function TypeBadge({ value }) {
  const type = typeOf(value);
  return html`<span class="kind" style=${{ "--kind": `var(${type.color})` }}><${Glyph} shape=${type.shape} />${type.label}</span>`;
}

/** @param {{shape: string}} props */
export function Glyph({ shape }) {
  return html`<svg class="glyph" viewBox="0 0 12 12" aria-hidden="true"><path fill-rule="evenodd" d=${shape} /></svg>`;
}

// the same shapes stand on the map: see map/marks.js
export const ROLE_SHAPES = {
  repeater: "M6 0 11.500 11H.5z",
  companion: "M6 1a5 5 0 1 0 0 10A5 5 0 0 0 6 1z",
  room: "M1 1h10v10H1z",
  sensor: "M6 0l6 6-6 6-6-6z",
};
export const ROLE_COLORS = { repeater: "--p-advert", companion: "--p-text", room: "--p-group", sensor: "--p-control" };

/** @param {{role: string}} props */
export function RoleBadge({ role }) {
  const color = ROLE_COLORS[role] ?? "--p-ack";
  return html`<span class="kind" style=${{ "--kind": `var(${color})` }}>
    <${Glyph} shape=${ROLE_SHAPES[role] ?? ROLE_SHAPES.companion} />${roleLabel(role)}
  </span>`;
}
