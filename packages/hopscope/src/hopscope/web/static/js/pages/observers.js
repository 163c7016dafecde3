// The Observers page: who reports, how recently, and how they are.

import { html, useMemo } from "../ui.js";
import { useResource } from "../resource.js";
import { now } from "../clock.js";
import { query, setQuery } from "../router.js";
import { count, decibel, duration, figure, shortKey, span, toMs } from "../format.js";
import { fit } from "../text.js";
import { AirText, Ago } from "../parts/words.js";
import { Await, Empty } from "../parts/states.js";

const ONLINE_MS = 60 * 60_000;
const STALE_MS = 24 * 60 * 60_000;
const SKEW_S = 60; // a clock off by more is pointed out
const LOW_MV = 3300;

/** @param {any} observer @param {number} at */
export function statusOf(observer, at) {
  const age = at - (toMs(observer.last_packet_at ?? observer.last_seen) ?? 0);
  if (observer.status === "offline") return "offline";
  return age < ONLINE_MS ? "online" : age < STALE_MS ? "quiet" : "silent";
}

export const STATUS_WORDS = { online: "online", quiet: "quiet", silent: "silent", offline: "offline" };

export function ObserversPage() {
  const of = useResource("/api/observers", { everyMs: 10_000 });
  const region = query.value.region ?? "";
  const all = of.state.value.data?.observers ?? [];
  const regions = useMemo(() => [...new Set(all.map((o) => o.iata).filter(Boolean))].sort(), [all]);
  const minute = Math.floor(now.value / 10_000);
  const shown = useMemo(
    () => inOrder(all.filter((o) => !region || o.iata === region), Date.now()),
    [all, region, minute],
  );
  const online = useMemo(() => shown.filter((o) => statusOf(o, Date.now()) === "online").length, [shown, minute]);
  return html`<div class="page scrolls">
    <header class="page-head">
      <h1 tabindex="-1">Observers</h1>
      <span class="lead">${of.state.value.data ? `${count(online)} of ${count(shown.length)} online` : ""}</span>
      ${regions.length > 1 && html`<div class="tools"><div>
        <select aria-label="Region" class=${`field ${region ? "set" : ""}`} value=${region} onChange=${(event) => setQuery({ region: event.currentTarget.value || null })}>
          <option value="">every region</option>${regions.map((code) => html`<option value=${code}>${fit(code, 12)}</option>`)}
        </select></div></div>`}
    </header>
    <${Await} of=${of} what="observers" rows=${10}>${() =>
      shown.length
        ? html`<div class="cards observers">${shown.map((observer) => html`<${Observer} key=${observer.id} observer=${observer} />`)}</div>`
        : html`<${Empty} title="No observer has reported yet"><p>Observers are nodes that publish what they hear over MQTT.</p><//>`}<//>
  </div>`;
}

/** Those that report first, then by name: an order that does not change with every packet under the reader's hand. */
function inOrder(observers, at) {
  const ranks = Object.keys(STATUS_WORDS);
  const rank = (observer) => ranks.indexOf(statusOf(observer, at));
  return observers.sort((a, b) => rank(a) - rank(b) || fit(a.name || a.id).localeCompare(fit(b.name || b.id)));
}

function Observer({ observer }) {
  const status = statusOf(observer, now.value);
  const skew = observer.clock_skew_seconds;
  return html`<article class="card observer" data-status=${status}>
    <header>
      <span class="status"><span class="lamp" aria-hidden="true"></span>${STATUS_WORDS[status]}</span>
      ${observer.iata && html`<span class="tag">${fit(observer.iata, 8)}</span>`}
      <h2 class="clip"><a class="plain" href=${`/observers/${encodeURIComponent(observer.id)}`}><${AirText} text=${observer.name} cap=${40} none=${shortKey(observer.id)} /></a></h2>
      <div class="dim clip"><${AirText} text=${[observer.model, observer.firmware].filter(Boolean).join(", ")} cap=${60} none=${shortKey(observer.id, 16)} /></div>
    </header>
    <dl class="figures">
      <div><dt>Last packet</dt><dd><${Ago} at=${observer.last_packet_at} none="none" /></dd></div>
      <div><dt>Last hour</dt><dd class="num">${count(observer.packetsLastHour)}</dd></div>
      <div><dt>In all</dt><dd class="num">${count(observer.packet_count)}</dd></div>
      <div><dt>Battery</dt><dd class=${`num ${observer.battery_mv && observer.battery_mv < LOW_MV ? "low" : ""}`}>${observer.battery_mv ? figure(observer.battery_mv / 1000, "V", 2) : "–"}</dd></div>
      <div><dt>Noise floor</dt><dd class="num">${decibel(observer.noise_floor, "dBm")}</dd></div>
      <div><dt>Uptime</dt><dd class="num">${typeof observer.uptime_secs === "number" ? duration(observer.uptime_secs) : "–"}</dd></div>
    </dl>
    ${typeof skew === "number" && Math.abs(skew) > SKEW_S && html`<p class="hint">Its clock is ${span(Math.abs(skew))} ${skew > 0 ? "ahead" : "behind"}.</p>`}
    ${observer.clock_naive && html`<p class="hint">Its timestamps name no time zone.</p>`}
    <a class="dim" href=${`/packets?observer=${encodeURIComponent(observer.id)}`}>Its packets</a>
  </article>`;
}
