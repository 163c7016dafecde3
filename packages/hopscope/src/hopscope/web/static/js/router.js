// Routes by the history API: which page, its parameters, and the query that holds a page's filters.

import { signal, batch } from "./ui.js";

// order matters only for the fallback; every pattern is a whole path
/** @type {[string, RegExp, string[]?][]} */
const ROUTES = [
  ["packets", /^\/$/],
  ["packets", /^\/packets$/],
  ["packets", /^\/packets\/([^/]+)$/, ["hash"]],
  ["map", /^\/map$/],
  ["nodes", /^\/nodes$/],
  ["node", /^\/nodes\/([^/]+)$/, ["pubkey"]],
  ["channels", /^\/channels$/],
  ["channels", /^\/channels\/([^/]+)$/, ["name"]],
  ["observers", /^\/observers$/],
  ["observer", /^\/observers\/([^/]+)$/, ["id"]],
  ["system", /^\/system$/],
];

/** @typedef {{page: string, params: Record<string, string>, path: string}} Route */

/** @param {string} path @returns {Route} */
export function match(path) {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, "") : path;
  for (const [page, pattern, names = []] of ROUTES) {
    const found = pattern.exec(trimmed);
    if (found) return { page, path: trimmed, params: Object.fromEntries(names.map((name, i) => [name, decode(found[i + 1])])) };
  }
  return { page: "unknown", path: trimmed, params: {} };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a broken escape is shown as it is
  }
}

export const route = signal(match(location.pathname));
/** The current query, as an object. */
export const query = signal(Object.fromEntries(new URLSearchParams(location.search)));

function read() {
  batch(() => {
    const next = match(location.pathname);
    if (next.path !== route.value.path) route.value = next;
    query.value = Object.fromEntries(new URLSearchParams(location.search));
  });
}

addEventListener("popstate", read);

/** @param {string} url a path of this app, with its query @param {{replace?: boolean}} options */
export function navigate(url, { replace = false } = {}) {
  history[replace ? "replaceState" : "pushState"](null, "", url);
  read();
}

/**
 * Change some of the query without a new history entry; null removes.
 * @param {Record<string, string | null>} changes
 */
export function setQuery(changes) {
  const next = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) value ? next.set(name, value) : next.delete(name);
  const text = next.toString();
  navigate(location.pathname + (text ? `?${text}` : ""), { replace: true });
}

/** Links inside the app change the page without loading it. */
document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = /** @type {HTMLAnchorElement | null} */ (/** @type {Element} */ (event.target).closest?.("a[href]"));
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
  if (match(link.pathname).page === "unknown") return; // the API's own pages
  event.preventDefault();
  navigate(link.pathname + link.search);
});
