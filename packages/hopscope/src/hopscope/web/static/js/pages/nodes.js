// The Nodes page: every node heard, searched, filtered and sorted by the server, page by page.

import { html, useEffect, useRef, useState } from "../ui.js";
import { mayPass, request, RETRY_MS, withQuery } from "../api.js";
import { navigate, query, setQuery } from "../router.js";
import { count, figure, shortKey } from "../format.js";
import { narrow } from "../screen.js";
import { ROLES } from "../generated.js";
import { Ago, AirText } from "../parts/words.js";
import { Empty, Failure, Loading } from "../parts/states.js";
import { Grid } from "../parts/grid.js";
import { RoleBadge } from "../parts/kind.js";

const PAGE = 200;
const SORTS = new Set(["name", "lastSeen", "packetCount", "firstSeen"]);
const HEARD = { "1h": "last hour", "6h": "last 6 hours", "24h": "last 24 hours", "7d": "last 7 days", "30d": "last 30 days" };

const COLUMNS = [
  { name: "name", label: "Name", sort: "name" },
  { name: "role", label: "Role" },
  { name: "heard", label: "Last heard", sort: "lastSeen" },
  { name: "first", label: "First heard", sort: "firstSeen" },
  { name: "adverts", label: "Adverts", class: "right", sort: "packetCount" },
  { name: "place", label: "Position" },
  { name: "size", label: "Path bytes", class: "right" },
  { name: "key", label: "Key" },
];

export function NodesPage() {
  const { search = "", role = "", heard = "", sort = "lastSeen" } = query.value;
  const list = useNodeList({ search, role, lastHeard: heard, sortBy: SORTS.has(sort) ? sort : "lastSeen" });
  const filtered = search || role || heard;
  const set = (name) => (event) => setQuery({ [name]: event.currentTarget.value || null });
  return html`<div class="page">
    <header class="page-head">
      <h1 tabindex="-1">Nodes</h1>
      <span class="lead">${list.total === null ? "" : `${count(list.total)} ${filtered ? "match" : "known by their adverts"}`}</span>
      <form class="tools" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
        <${Search} value=${search} />
        <div>
          <select aria-label="Role" class=${`field ${role ? "set" : ""}`} value=${role} onChange=${set("role")}>
            <option value="">every role</option>
            ${ROLES.map(({ name, label }) => html`<option value=${name}>${label}</option>`)}
          </select></div>
        <div>
          <select aria-label="Last heard" class=${`field ${heard ? "set" : ""}`} value=${heard} onChange=${set("heard")}>
            <option value="">heard at any time</option>
            ${Object.entries(HEARD).map(([key, text]) => html`<option value=${key}>${text}</option>`)}
          </select></div>
      </form>
    </header>
    ${list.error && html`<${Failure} small=${list.nodes.length > 0} error=${list.error} what="Nodes" retry=${list.reload} />`}
    ${!list.ready && !list.error && html`<${Loading} what="nodes" rows=${14} />`}
    ${list.ready && !list.nodes.length && html`<${Empty} title=${filtered ? "No node matches" : "No nodes yet"}>
      ${!filtered && html`<p>A node appears here with its first advert whose signature is valid.</p>`}<//>`}
    ${list.nodes.length > 0 && html`<div class="grid-frame"><${Grid} id="node" label="Nodes" columns=${COLUMNS} rows=${list.nodes} rowHeight=${narrow.value ? 62 : 38}
      keyOf=${(node) => node.public_key} cells=${cells} onOpen=${(node) => navigate(`/nodes/${node.public_key}`)} onNearEnd=${list.more}
      sort=${{ by: sort, descending: sort !== "name", change: (by) => setQuery({ sort: by === "lastSeen" ? null : by }) }} /></div>`}
  </div>`;
}

function cells(node) {
  return [
    html`<a class="plain" href=${`/nodes/${node.public_key}`} tabindex="-1"><${AirText} text=${node.name} cap=${48} class="strong" none=${shortKey(node.public_key)} /></a>`,
    html`<${RoleBadge} role=${node.role} />`,
    html`<${Ago} at=${node.last_seen} />`,
    html`<${Ago} at=${node.first_seen} />`,
    html`<span class="num">${count(node.advert_count)}<span class="unit"> ${node.advert_count === 1 ? "advert" : "adverts"}</span></span>`,
    typeof node.lat === "number" ? html`<span class="num">${node.lat.toFixed(2)}, ${node.lon.toFixed(2)}</span>` : html`<span class="dim">–</span>`,
    html`<span class="num">${figure(node.hash_size)}</span>`,
    html`<code>${shortKey(node.public_key)}</code>`,
  ];
}

/** Typing asks the server only after a moment of rest. */
function Search({ value }) {
  const timer = useRef(0);
  const typed = (event) => {
    const text = event.currentTarget.value.trim();
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ search: text || null }), 250);
  };
  useEffect(() => () => clearTimeout(timer.current), []);
  return html`<div>
    <input aria-label="Search nodes" class=${`field ${value ? "set" : ""}`} type="search" placeholder="name or key" defaultValue=${value} onInput=${typed} /></div>`;
}

function useNodeList(filters) {
  const [state, setState] = useState({ nodes: [], total: null, ready: false, error: null });
  const busy = useRef(false);
  const [round, setRound] = useState(0);
  const key = JSON.stringify(filters);
  const page = (offset, abort) => request(withQuery("/api/nodes", { ...filters, limit: PAGE, offset }), { signal: abort?.signal });
  useEffect(() => {
    const abort = new AbortController();
    page(0, abort).then(
      ({ nodes, total }) => setState({ nodes, total, ready: true, error: null }),
      (error) => error.name === "AbortError" || setState((old) => ({ ...old, error })),
    );
    return () => abort.abort();
  }, [key, round]);
  useEffect(() => {
    if (state.ready || !mayPass(state.error)) return undefined;
    const again = setTimeout(() => setRound((old) => old + 1), RETRY_MS);
    return () => clearTimeout(again);
  }, [state.error]);
  const more = async () => {
    if (busy.current || state.nodes.length >= (state.total ?? 0)) return;
    busy.current = true;
    try {
      const { nodes, total } = await page(state.nodes.length);
      setState((old) => {
        const known = new Set(old.nodes.map((node) => node.public_key)); // the order may have moved between two pages
        return { ...old, total, nodes: [...old.nodes, ...nodes.filter((node) => !known.has(node.public_key))] };
      });
    } catch (error) {
      setState((old) => ({ ...old, error }));
    } finally {
      busy.current = false;
    }
  };
  return { ...state, more, reload: () => setRound(round + 1) };
}
