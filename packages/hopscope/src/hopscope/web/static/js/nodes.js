// All nodes of the installation, loaded page by page; the map and hop names need the whole list.

import { signal } from "./ui.js";
import { request, withQuery } from "./api.js";

const PAGE = 1000;
const MOST = 20_000;
const FRESH_MS = 60_000;

/** @type {any} */
export const allNodes = signal({ nodes: [], ready: false, error: null, at: 0 });
let under = null;

/** Load every node, unless that was done within the last minute. */
export function loadNodes({ force = false } = {}) {
  if (!force && Date.now() - allNodes.value.at < FRESH_MS) return Promise.resolve();
  under ??= fetchAll().finally(() => (under = null));
  return under;
}

async function fetchAll() {
  const nodes = [];
  try {
    for (let offset = 0; offset < MOST; ) {
      const page = await request(withQuery("/api/nodes", { limit: PAGE, offset }));
      nodes.push(...page.nodes);
      offset += page.nodes.length;
      if (!page.nodes.length || nodes.length >= page.total) break;
    }
    allNodes.value = { nodes, ready: true, error: null, at: Date.now() };
  } catch (error) {
    allNodes.value = { ...allNodes.value, error };
  }
}
