// One observer: what it says of itself, and its samples of the last day.

import { html } from "../ui.js";
import { useResource } from "../resource.js";
import { now } from "../clock.js";
import { count, decibel, duration, figure, span, toMs } from "../format.js";
import { AirText, Ago, Copyable } from "../parts/words.js";
import { Await } from "../parts/states.js";
import { Chart } from "../parts/chart.js";
import { Icon } from "../parts/icons.js";
import { STATUS_WORDS, statusOf } from "./observers.js";

const EVERY_MS = 15_000;
const KEY = /^[0-9a-f]{64}$/i;

/** @param {{id: string}} props */
export function ObserverPage({ id }) {
  const path = `/api/observers/${encodeURIComponent(id)}`;
  const of = useResource(path, { everyMs: EVERY_MS });
  const samples = useResource(`${path}/metrics`, { everyMs: 4 * EVERY_MS });
  const observer = of.state.value.data;
  return html`<div class="page scrolls">
    <header class="page-head">
      <a class="button quiet" href="/observers"><${Icon} name="back" />Observers</a>
      <h1 tabindex="-1" class="clip">${observer ? html`<${AirText} text=${observer.name} cap=${64} />` : "Observer"}</h1>
    </header>
    <${Await} of=${of} what="observer">${(data) => html`<div class="columns">
      <${Facts} observer=${data} />
      <section class="card" aria-label="Samples">
        <h2>Last 24 hours</h2>
        <${Await} of=${samples} what="samples" rows=${4}>${({ metrics }) => html`<${Samples} list=${metrics} />`}<//>
      </section>
    </div>`}<//>
  </div>`;
}

function Facts({ observer }) {
  const status = statusOf(observer, now.value);
  const skew = observer.clock_skew_seconds;
  const rows = [
    ["Status", html`<span class="status" data-status=${status}><span class="status"><span class="lamp" aria-hidden="true"></span>${STATUS_WORDS[status]}</span></span>`],
    ["Id", html`<${Copyable} text=${observer.id} label="observer id" />`],
    ["Region", observer.iata],
    ["Last packet", html`<${Ago} at=${observer.last_packet_at} none="none" />`],
    ["Last record", html`<${Ago} at=${observer.last_seen} />`],
    ["First heard", html`<${Ago} at=${observer.first_seen} />`],
    ["Receptions", html`<span class="num">${count(observer.packet_count)}, ${count(observer.packetsLastHour)} in the last hour</span>`],
    ["Model", observer.model && html`<${AirText} text=${observer.model} cap=${60} />`],
    ["Firmware", observer.firmware && html`<${AirText} text=${observer.firmware} cap=${60} />`],
    ["Publisher", observer.client_version && html`<${AirText} text=${observer.client_version} cap=${60} />`],
    ["Radio", observer.radio && html`<${AirText} text=${radioWords(observer.radio)} cap=${60} />`],
    ["Battery", typeof observer.battery_mv === "number" && html`<span class="num">${figure(observer.battery_mv / 1000, "V", 2)}</span>`],
    ["Noise floor", typeof observer.noise_floor === "number" && html`<span class="num">${decibel(observer.noise_floor, "dBm")}</span>`],
    ["Uptime", typeof observer.uptime_secs === "number" && html`<span class="num">${duration(observer.uptime_secs)}</span>`],
    ["Clock", typeof skew === "number" && (Math.abs(skew) < 2 ? "right" : `${span(Math.abs(skew))} ${skew > 0 ? "ahead" : "behind"}`)],
  ];
  return html`<section class="card" aria-label="Facts">
    <dl class="facts">${rows.filter(([, value]) => value).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
    <p><a href=${`/packets?observer=${encodeURIComponent(observer.id)}`}>Its packets</a>${KEY.test(observer.id) && observer.nodeRole && html` · <a href=${`/nodes/${observer.id.toLowerCase()}`}>Its node</a>`}</p>
  </section>`;
}

/** "869.525,250,11,5" as people say it. @param {string} radio */
export function radioWords(radio) {
  const [mhz, khz, sf, cr] = String(radio).split(",");
  return cr === undefined ? radio : `${mhz} MHz, ${khz} kHz, SF ${sf}, CR ${cr}`;
}

/** @type {[string, string, string, number, string][]} */
const CHARTS = [
  ["Noise floor", "dBm", "noise_floor", 1, "--p-control"],
  ["Battery", "V", "battery_mv", 1000, "--p-advert"],
];

function Samples({ list }) {
  const at = list.map((sample) => (toMs(sample.timestamp) ?? 0) / 1000);
  const shown = CHARTS.filter(([, , key]) => list.filter((sample) => typeof sample[key] === "number").length > 1);
  if (!shown.length) return html`<p class="dim">It has not reported enough samples to draw.</p>`;
  return shown.map(([name, unit, key, divisor, color]) => html`<${Chart} key=${key} label=${name} unit=${unit} fromZero=${false}
    data=${[at, list.map((sample) => (typeof sample[key] === "number" ? sample[key] / divisor : null))]} series=${[[name.toLowerCase(), color]]} />`);
}
