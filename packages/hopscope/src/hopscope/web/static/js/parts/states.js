// What a page shows when it has nothing yet, nothing at all, or a failure. A failure is never shown as nothing.

import { html } from "../ui.js";
import { reachable } from "../api.js";
import { Icon } from "./icons.js";

/** @param {{rows?: number, what: string}} props placeholder bars in the place of a list */
export function Loading({ rows = 8, what }) {
  return html`<div class="loading" aria-busy="true">
    <span class="visually-hidden">Loading ${what}…</span>
    ${Array.from({ length: rows }, (_, i) => html`<div class="bar" style=${{ "--w": `${90 - ((i * 37) % 45)}%` }}></div>`)}
  </div>`;
}

/** @param {{title: string, children?: unknown}} props */
export function Empty({ title, children }) {
  return html`<div class="empty">
    <svg class="empty-mark" viewBox="0 0 96 40" aria-hidden="true"><path d="M6 34a15 15 0 0 1 30 0" /><path d="M36 34a13 13 0 0 1 26 0" /><path d="M62 34a9 9 0 0 1 18 0" /><circle cx="6" cy="34" r="4" /></svg>
    <h2>${title}</h2>
    <div class="empty-words">${children}</div>
  </div>`;
}

/** @param {{error: Error, what: string, retry?: () => void, small?: boolean}} props */
export function Failure({ error, what, retry, small = false }) {
  const gone = /** @type {any} */ (error).status === 404;
  const title = !reachable.value ? "No connection to the server" : gone ? `${what} not found` : `${what} could not be loaded`;
  return html`<div class=${small ? "failure small" : "failure"} role="alert">
    <${Icon} name="warn" />
    <div>
      <strong>${title}</strong>
      <p>${gone ? "It is not stored, or not any more; or the address is not complete." : error.message}</p>
    </div>
    ${retry && html`<button type="button" class="button" onClick=${retry}>Try again</button>`}
  </div>`;
}

/**
 * The state of a resource: placeholder, failure, or the page's own view of the data.
 * @param {{of: {state: any, reload: () => void}, what: string, rows?: number, children: (data: any) => unknown}} props
 */
export function Await({ of, what, rows, children }) {
  const { data, error } = of.state.value;
  if (data !== null) {
    return html`${error && html`<${Failure} small error=${error} what=${`Newer ${what}`} retry=${of.reload} />`}${children(data)}`;
  }
  if (error) return html`<${Failure} error=${error} what=${capital(what)} retry=${of.reload} />`;
  return html`<${Loading} what=${what} rows=${rows} />`;
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
