// Icons as paths on a 24 by 24 grid. Decoration only: whoever uses one gives the words.

import { html } from "../ui.js";

const PATHS = {
  packets: ["M4 6h16", "M4 12h10", "M4 18h13", "M18 12h2"],
  map: ["M9 4 3.5 6.500v13.500L9 17.500l6 2.500 5.500-2.500V4L15 6.500z", "M9 4v13.500", "M15 6.500V20"],
  nodes: ["M12 12m-2.200 0a2.200 2.200 0 1 0 4.400 0a2.200 2.200 0 1 0-4.400 0", "M7.800 16.200a6 6 0 0 1 0-8.400", "M16.200 7.800a6 6 0 0 1 0 8.400", "M4.900 19a10 10 0 0 1 0-14", "M19.100 5a10 10 0 0 1 0 14"],
  channels: ["M4 5.500h16v10.500H10.500L6 20v-4H4z", "M8 9.500h8", "M8 12.500h5"],
  observers: ["M4 18.500 12 4l8 14.500", "M7 13.500h10", "M12 4v16.500"],
  system: ["M3 13h4l2.500-7 4.500 13 2.500-8 1.500 2H21"],
  close: ["M6 6l12 12", "M18 6 6 18"],
  back: ["M14.500 5.500 8 12l6.500 6.500"],
  filter: ["M4 6h16", "M7 12h10", "M10 18h4"],
  pause: ["M9 5v14", "M15 5v14"],
  play: ["M8 5l11 7-11 7z"],
  up: ["M12 19V5", "M6 11l6-6 6 6"],
  search: ["M10.500 10.500m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0", "M15 15l5 5"],
  lock: ["M6.500 11h11v8.500h-11z", "M8.500 11V8a3.500 3.500 0 0 1 7 0v3"],
  copy: ["M9 9h10v11H9z", "M15 9V4H5v11h4"],
  warn: ["M12 4 2.800 19.500h18.400z", "M12 10v4.500", "M12 17v.2"],
  fit: ["M4 9V4h5", "M20 9V4h-5", "M4 15v5h5", "M20 15v5h-5"],
};

/** @param {{name: keyof typeof PATHS}} props */
export function Icon({ name }) {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    ${PATHS[name].map((d) => html`<path d=${d} />`)}
  </svg>`;
}
