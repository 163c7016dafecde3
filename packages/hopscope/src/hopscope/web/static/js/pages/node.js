// One node: what it says of itself, where it is, and its recent adverts.

import { html, useEffect, useRef } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { client } from "../client.js";
import { useResource } from "../resource.js";
import { shownTheme } from "../theme.js";
import { count, decibel, figure, position, receptions } from "../format.js";
import { AirText, Ago, Copyable } from "../parts/words.js";
import { Await, Empty } from "../parts/states.js";
import { Hops } from "../parts/hops.js";
import { Icon } from "../parts/icons.js";
import { RoleBadge } from "../parts/kind.js";
import { NodeMap } from "../map/view.js";
import { parsed } from "../packets/book.js";

/** @param {{pubkey: string}} props a key, or the first eight digits of one */
export function NodePage({ pubkey }) {
  const of = useResource(`/api/nodes/${encodeURIComponent(pubkey)}`, { everyMs: 15_000 });
  return html`<div class="page scrolls">
    <header class="page-head">
      <a class="button quiet" href="/nodes"><${Icon} name="back" />Nodes</a>
      <h1 tabindex="-1" class="clip">${of.state.value.data ? html`<${AirText} text=${of.state.value.data.node.name} cap=${64} />` : "Node"}</h1>
    </header>
    <${Await} of=${of} what="node">${(data) => html`<${Facts} node=${data.node} adverts=${data.recentAdverts ?? []} />`}<//>
  </div>`;
}

function Facts({ node, adverts }) {
  const placed = typeof node.lat === "number" && typeof node.lon === "number";
  return html`<div class="columns">
    <section class="card" aria-label="Facts">
      <dl class="facts">
        <dt>Role</dt><dd><${RoleBadge} role=${node.role} /></dd>
        <dt>Key</dt><dd class="key"><${Copyable} text=${node.public_key} label="public key" /></dd>
        <dt>Last heard</dt><dd><${Ago} at=${node.last_seen} /></dd>
        <dt>First heard</dt><dd><${Ago} at=${node.first_seen} /></dd>
        <dt>Adverts</dt><dd class="num">${count(node.advert_count)}</dd>
        <dt>Path hash</dt><dd>${node.hash_size ? `${node.hash_size} ${node.hash_size === 1 ? "byte" : "bytes"} a hop` : html`<span class="dim">unknown</span>`}${node.hash_size_inconsistent && html` <span class="tag">varies</span>`}</dd>
        <dt>Position</dt><dd>${placed ? html`<span class="num">${position(node.lat, node.lon)}</span>` : html`<span class="dim">not told</span>`}</dd>
        ${typeof node.battery_mv === "number" && html`<dt>Battery</dt><dd class="num">${figure(node.battery_mv / 1000, "V", 2)}</dd>`}
        ${typeof node.temperature_c === "number" && html`<dt>Temperature</dt><dd class="num">${figure(node.temperature_c, "°C")}</dd>`}
        ${node.verified === false && html`<dt>Trust</dt><dd><span class="tag bad">imported, no valid advert seen yet</span></dd>`}
      </dl>
      <p><a href=${`/packets?node=${node.public_key}`}>Its packets</a></p>
    </section>
    ${placed && html`<section class="card flush" aria-label="Position"><${SmallMap} node=${node} /></section>`}
    <section class="card wide" aria-label="Recent adverts">
      <h2>Recent adverts</h2>
      ${adverts.length ? html`<${Adverts} list=${adverts} />` : html`<${Empty} title="No advert is stored" />`}
    </section>
  </div>`;
}

function Adverts({ list }) {
  return html`<${Wide} label="Table of adverts"><table class="table">
    <thead><tr><th>Heard</th><th>Observer</th><th class="right">SNR</th><th class="right">Receptions</th><th>Path</th><th>Packet</th></tr></thead>
    <tbody>${list.map((packet) => html`<tr key=${packet.hash}>
      <td><${Ago} at=${packet.latest ?? packet.first_seen ?? packet.timestamp} /></td>
      <td><${AirText} text=${packet.observer_name} cap=${28} none="–" /></td>
      <td class="right num">${decibel(packet.snr)}</td>
      <td class="right num">${receptions(packet.observation_count)}</td>
      <td>${packet.observation_count === 0 && !pathOf(packet).length ? html`<span class="dim">–</span>` : html`<${Hops} hops=${pathOf(packet)} room=${260} />`}</td>
      <td><a class="mono" href=${`/packets/${packet.hash}`}>${String(packet.hash).slice(0, 8)}</a></td>
    </tr>`)}</tbody>
  </table><//>`;
}

function pathOf(packet) {
  const hops = parsed(packet.path_json);
  return Array.isArray(hops) ? hops : [];
}

function SmallMap({ node }) {
  const place = useRef(null);
  const map = useRef(null);
  useEffect(() => {
    map.current = new NodeMap(place.current, { tiles: client.value?.tiles ?? null, view: { lat: node.lat, lon: node.lon, zoom: 9 } });
    return () => map.current.remove();
  }, [node.public_key]);
  useEffect(() => map.current.show([node], [node]), [node]);
  useEffect(() => map.current.repaint(), [shownTheme.value]);
  return html`<div class="small-map" ref=${place} role="group" aria-label=${`Map around ${position(node.lat, node.lon)}`}></div>`;
}
