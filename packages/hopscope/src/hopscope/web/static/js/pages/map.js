// The Map page: nodes where they say they are, packets as they pass, and a list for those who do not use the map.

import { html, useEffect, useMemo, useRef, useState } from "../ui.js";
import { client } from "../client.js";
import { allNodes, loadNodes } from "../nodes.js";
import { onPackets } from "../live.js";
import { shownTheme } from "../theme.js";
import { setQuery, query } from "../router.js";
import { count } from "../format.js";
import { fit } from "../text.js";
import { narrow } from "../screen.js";
import { AirText, Ago } from "../parts/words.js";
import { Failure, Loading } from "../parts/states.js";
import { RoleBadge } from "../parts/kind.js";
import { Icon } from "../parts/icons.js";
import { loadAtlas } from "../map/basemap.js";
import { NodeMap } from "../map/view.js";

const ROLES_SHOWN = ["repeater", "room", "companion", "sensor"];
const LISTED = 200;
const PANEL_PX = 316; // as in map.css

export function MapPage() {
  const place = useRef(null);
  /** @type {{current: NodeMap | null}} */
  const map = useRef(null);
  const [baseError, setBaseError] = useState(null);
  const [panel, setPanel] = useState(!narrow.value);
  const { nodes, ready, error } = allNodes.value;
  const hidden = (query.value.hide ?? "").split(",").filter(Boolean);
  const search = query.value.q ?? "";
  const placed = useMemo(() => nodes.filter((node) => typeof node.lat === "number" && typeof node.lon === "number"), [nodes]);
  const shown = useMemo(() => {
    const wanted = search.toLowerCase();
    return placed.filter((node) => !hidden.includes(node.role) && (!wanted || fit(node.name, 80).toLowerCase().includes(wanted) || node.public_key.startsWith(wanted)));
  }, [placed, query.value.hide, search]);

  const configured = client.value !== null;
  useEffect(() => {
    if (!configured) return undefined;
    map.current = new NodeMap(place.current, { tiles: client.value.tiles ?? null });
    loadAtlas().catch(setBaseError);
    loadNodes();
    const timer = setInterval(() => document.hidden || loadNodes(), 60_000);
    const stop = onPackets((packets) => map.current?.flash(packets));
    return () => {
      clearInterval(timer);
      stop();
      map.current.remove();
      map.current = null;
    };
  }, [configured]);
  const covered = panel && !narrow.value ? PANEL_PX : 0;
  useEffect(() => map.current?.show(nodes, shown, covered), [nodes, shown, configured]);
  useEffect(() => map.current?.repaint(), [shownTheme.value]);

  const toggle = (role) => setQuery({ hide: (hidden.includes(role) ? hidden.filter((r) => r !== role) : [...hidden, role]).join(",") || null });
  return html`<div class="page map-page">
    <h1 class="visually-hidden" tabindex="-1">Map</h1>
    <div class="map-place" ref=${place} role="application" aria-label="Map of nodes; the list beside it has the same nodes"></div>
    <div class="map-tools">
      <button type="button" class="button" aria-expanded=${panel} aria-controls="map-panel" onClick=${() => setPanel(!panel)}>
        <${Icon} name="nodes" /><span class="num">${count(shown.length)}</span> nodes
      </button>
      <button type="button" class="button" onClick=${() => map.current?.fit(covered)}><${Icon} name="fit" />Fit</button>
    </div>
    ${panel && html`<section class="map-panel" id="map-panel" aria-label="Nodes on the map">
      <div>
        <input aria-label="Search nodes" class="field" type="search" placeholder="search by name or key" defaultValue=${search} onInput=${(event) => setQuery({ q: event.currentTarget.value.trim() || null })} /></div>
      <div class="map-roles" role="group" aria-label="Roles shown">
        ${ROLES_SHOWN.map((role) => html`<button type="button" class="chip" aria-pressed=${!hidden.includes(role)} onClick=${() => toggle(role)}><${RoleBadge} role=${role} /></button>`)}
      </div>
      ${error && html`<${Failure} small error=${error} what="Nodes" retry=${() => loadNodes({ force: true })} />`}
      ${baseError && html`<${Failure} small error=${baseError} what="Base map" />`}
      ${!ready && !error && html`<${Loading} what="nodes" rows=${6} />`}
      ${ready && !placed.length && html`<p class="dim">No node has told its position yet.</p>`}
      <ul class="map-list">
        ${shown.slice(0, LISTED).map((node) => html`<li key=${node.public_key}>
          <button type="button" onClick=${() => (map.current?.open(node, { move: true }), narrow.value && setPanel(false))}>
            <${RoleBadge} role=${node.role} /><${AirText} text=${node.name} cap=${30} class="strong" /><span class="dim"><${Ago} at=${node.last_seen} /></span>
          </button>
        </li>`)}
      </ul>
      ${shown.length > LISTED && html`<p class="dim">and ${count(shown.length - LISTED)} more; search to find them</p>`}
      ${ready && placed.length < nodes.length && html`<p class="dim">${count(nodes.length - placed.length)} nodes have told no position.</p>`}
    </section>`}
  </div>`;
}
