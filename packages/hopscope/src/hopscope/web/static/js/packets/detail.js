// One packet in full: what it says, its bytes and their fields, and each observer's reception of it.

import { html, useEffect, useRef } from "../ui.js";
import { useResource } from "../resource.js";
import { onPackets } from "../live.js";
import { absolute, count, decibel, offset, toMs } from "../format.js";
import { single } from "../screen.js";
import { AirText, Ago, Copyable } from "../parts/words.js";
import { Await } from "../parts/states.js";
import { Bytes } from "../parts/bytes.js";
import { Hops } from "../parts/hops.js";
import { Icon } from "../parts/icons.js";
import { TypeBadge, routeLabel, typeOf } from "../parts/kind.js";
import { parsed } from "./book.js";
import { Summary } from "./summary.js";

/** @param {{hash: string, onClose: () => void}} props */
export function PacketDetail({ hash, onClose }) {
  const of = useResource(`/api/packets/${encodeURIComponent(hash)}`);
  const heading = useRef(null);
  useEffect(() => heading.current?.focus({ preventScroll: true }), [hash]);
  useEffect(() => {
    let timer = 0;
    const stop = onPackets((packets) => {
      if (timer || !packets.some((packet) => packet.hash?.toLowerCase() === hash)) return;
      timer = setTimeout(() => ((timer = 0), of.reload()), 1000); // several observers report within a moment
    });
    return () => (stop(), clearTimeout(timer));
  }, [hash]);
  const pressed = (event) => event.key === "Escape" && onClose();
  return html`<aside class="detail" aria-label="Packet" onKeyDown=${pressed}>
    <div class="detail-head">
      <button type="button" class="button quiet" onClick=${onClose}><${Icon} name="close" /><span class="visually-hidden">Close packet</span></button>
      <${single.value ? "h1" : "h2"} class="detail-title" tabindex="-1" ref=${heading}>Packet <${Copyable} text=${hash} label="packet hash" /><//>
    </div>
    <div class="detail-body"><${Await} of=${of} what="packet" rows=${10}>${(data) => html`<${Whole} data=${data} />`}<//></div>
  </aside>`;
}

function Whole({ data }) {
  const { packet } = data;
  const decoded = data.decoded ?? packet.decoded ?? {};
  const payload = decoded.payload ?? parsed(packet.decoded_json);
  const receptions = [...(data.observations ?? [])].sort((a, b) => toMs(a.timestamp) - toMs(b.timestamp));
  return html`
    <div class="detail-say"><${TypeBadge} value=${packet.payload_type} /><span><${Summary} type=${packet.payload_type} payload=${payload} /></span></div>
    <dl class="facts">
      <dt>First heard</dt><dd><${Ago} at=${packet.first_seen} /></dd>
      <dt>Heard</dt><dd class="num">${count(Math.max(data.observation_count ?? 0, receptions.length))} times</dd>
      <dt>Route</dt><dd>${routeLabel(packet.route_type)}</dd>
      ${packet.scope_name !== null && packet.scope_name !== undefined && html`<dt>Scope</dt><dd><${AirText} text=${packet.scope_name} none="region unknown" /></dd>`}
      <dt>Size</dt><dd class="num">${(packet.raw_hex?.length ?? 0) / 2} bytes</dd>
      ${payload.timestamp && html`<dt>Sender's clock</dt><dd>${absolute(toMs(payload.timestamp))}</dd>`}
      ${payload.pubKey && html`<dt>Node</dt><dd><a href=${`/nodes/${payload.pubKey}`}><${AirText} text=${payload.name} none="unnamed" /></a></dd>`}
      ${payload.sender && html`<dt>Sender</dt><dd><${AirText} text=${payload.sender} /> <span class="dim">(a claim: channel messages are not signed)</span></dd>`}
    </dl>
    <${Part} title="Bytes" />
    ${packet.raw_hex ? html`<${Bytes} hex=${packet.raw_hex} spans=${data.byte_map ?? []} />` : html`<p class="dim">The frame itself is not stored.</p>`}
    <${Part} title="Receptions" />
    <${Receptions} list=${receptions} type=${packet.payload_type} />
  `;
}

/** A heading one level below the packet's. */
const Part = ({ title }) => html`<${single.value ? "h2" : "h3"} class="detail-part">${title}<//>`;

function Receptions({ list, type }) {
  if (!list.length) return html`<p class="dim">No reception of this packet is stored.</p>`;
  const begin = toMs(list[0].timestamp);
  const trace = typeOf(type).name === "TRACE"; // its path bytes are signal values, not hops
  return html`<ol class="receptions">
    ${list.map((reception) => html`<li key=${reception.id}>
      <div class="reception-who">
        <${AirText} text=${reception.observer_name} cap=${32} none=${reception.observer_id ? reception.observer_id.slice(0, 8) : "unknown observer"} class="strong" />
        ${reception.observer_iata && html`<span class="tag">${reception.observer_iata}</span>`}
        ${reception.direction === "tx" && html`<span class="tag">sent</span>`}
      </div>
      <div class="reception-when num" title=${absolute(toMs(reception.timestamp))}>${offset(toMs(reception.timestamp) - begin)}</div>
      <div class="reception-signal num">${decibel(reception.snr)}<span class="dim">, ${decibel(reception.rssi, "dBm")}</span></div>
      <div class="reception-path">${trace ? html`<span class="dim">trace</span>` : html`<${Hops} hops=${parsed(reception.path_json)?.length ? parsed(reception.path_json) : []} room=${380} />`}</div>
    </li>`)}
  </ol>`;
}
