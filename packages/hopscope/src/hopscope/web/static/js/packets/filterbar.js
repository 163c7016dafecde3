// The controls that narrow the packet list. Every choice goes into the URL and nowhere else.

import { html, useEffect, useState } from "../ui.js";
import { request, withQuery } from "../api.js";
import { client } from "../client.js";
import { query, setQuery } from "../router.js";
import { PAYLOAD_TYPES } from "../generated.js";
import { fit } from "../text.js";
import { shortKey } from "../format.js";
import { NAMES, SPANS, filtersOf } from "./filters.js";

const SPAN_WORDS = { "15m": "last 15 minutes", "1h": "last hour", "6h": "last 6 hours", "24h": "last 24 hours", "7d": "last 7 days" };

/** @param {{observers: any[], channels: any[]}} props what can be chosen */
export function FilterBar({ observers, channels }) {
  const filters = filtersOf(query.value);
  const set = (name) => (event) => setQuery({ [name]: event.currentTarget.value.trim() || null });
  const regions = regionChoices(observers);
  return html`<form class="filters" aria-label="Filters" onSubmit=${(event) => event.preventDefault()}>
    <${Choice} label="Type" value=${filters.type} onChange=${set("type")} any="every type"
      options=${PAYLOAD_TYPES.map((type) => [String(type.value), type.label])} />
    <${Choice} label="Observer" value=${filters.observer} onChange=${set("observer")} any="every observer"
      options=${observers.map((o) => [o.id, fit(o.name || shortKey(o.id), 28)])} />
    ${regions.length > 0 && html`<${Choice} label="Region" value=${filters.region} onChange=${set("region")} any="every region" options=${regions} />`}
    <${Choice} label="Channel" value=${filters.channel} onChange=${set("channel")} any="every channel"
      options=${channels.map((c) => [c.hash ?? c.name, fit(c.name ?? c.hash, 28)])} />
    <${NodeChoice} value=${filters.node} />
    <${HashField} value=${filters.hash} />
    <${TimeChoice} since=${filters.since} until=${filters.until} />
    ${Object.keys(filters).length > 0 && html`<button type="button" class="button quiet" onClick=${() => setQuery(Object.fromEntries(NAMES.map((name) => [name, null])))}>Clear filters</button>`}
  </form>`;
}

/** Configured regions first, then those that observers report. */
function regionChoices(observers) {
  const known = (client.value?.regions ?? []).map(({ code, label }) => [code, label && label !== code ? `${label} (${code})` : code]);
  const seen = new Set(known.map(([code]) => code));
  const reported = [...new Set(observers.map((o) => o.iata).filter(Boolean))].filter((code) => !seen.has(code)).sort();
  return [...known, ...reported.map((code) => [code, code])];
}

function Choice({ label, value, onChange, any, options }) {
  const missing = value && !options.some(([key]) => key === value); // a link may name what is not listed
  return html`<div class="filter">
    <select aria-label=${label} class=${`field ${value ? "set" : ""}`} value=${value ?? ""} onChange=${onChange}>
      <option value="">${any}</option>
      ${missing && html`<option value=${value}>${fit(value, 28)}</option>`}
      ${options.map(([key, text]) => html`<option value=${key} key=${key}>${text}</option>`)}
    </select>
  </div>`;
}

function NodeChoice({ value }) {
  const [found, setFound] = useState([]);
  const search = async (event) => {
    const text = event.currentTarget.value.trim();
    if (!text) return setFound([]);
    const chosen = found.find((node) => label(node) === text);
    if (chosen) return setQuery({ node: chosen.public_key });
    if (text.length < 2) return undefined;
    const answer = await request(withQuery("/api/nodes/search", { q: text })).catch(() => null); // typing goes on without hints
    if (answer) setFound(answer.nodes ?? []);
    return undefined;
  };
  const label = (node) => `${fit(node.name, 40) || "unnamed"} ${shortKey(node.public_key)}`;
  const settle = (event) => {
    const text = event.currentTarget.value.trim();
    if (!text) setQuery({ node: null });
    else if (/^[0-9a-f]{8,64}$/i.test(text)) setQuery({ node: text.toLowerCase() });
  };
  return html`<div class="filter">
    <input aria-label="Node" class=${`field ${value ? "set" : ""}`} list="node-choices" placeholder="node name or key" size="16" autocomplete="off"
      defaultValue=${value ?? ""} key=${value ?? ""} onInput=${search} onChange=${settle} />
    <datalist id="node-choices">${found.map((node) => html`<option value=${label(node)} />`)}</datalist>
  </div>`;
}

function HashField({ value }) {
  const settle = (event) => {
    const text = event.currentTarget.value.trim().toLowerCase();
    if (!text || /^[0-9a-f]{16}$/.test(text)) setQuery({ hash: text || null });
  };
  return html`<div class="filter">
    <input aria-label="Packet hash" class=${`field mono ${value ? "set" : ""}`} placeholder="packet hash" size="17" maxlength="16" pattern="[0-9a-fA-F]{16}" title="16 hex digits"
      defaultValue=${value ?? ""} key=${value ?? ""} onChange=${settle} autocomplete="off" spellcheck=${false} />
  </div>`;
}

/** A span before now, or two times of one's own. */
function TimeChoice({ since, until }) {
  const own = Boolean(until) || Boolean(since && !SPANS[since]);
  const [open, setOpen] = useState(own);
  useEffect(() => setOpen((was) => own || was), [own]);
  const pick = (event) => {
    const choice = event.currentTarget.value;
    setOpen(choice === "own");
    if (choice !== "own") setQuery({ since: choice || null, until: null });
  };
  const edge = (name) => (event) => {
    const text = event.currentTarget.value;
    setQuery({ [name]: text ? new Date(text).toISOString() : null });
  };
  return html`<div class="filter">
      <select aria-label="Time" class=${`field ${since || until ? "set" : ""}`} value=${own || open ? "own" : (since ?? "")} onChange=${pick}>
        <option value="">any time</option>
        ${Object.entries(SPAN_WORDS).map(([key, text]) => html`<option value=${key}>${text}</option>`)}
        <option value="own">from … to …</option>
      </select>
    </div>
    ${open && html`<div class="filter"><input aria-label="From" type="datetime-local" class="field" defaultValue=${local(since)} onChange=${edge("since")} /></div>
      <div class="filter"><input aria-label="To" type="datetime-local" class="field" defaultValue=${local(until)} onChange=${edge("until")} /></div>`}`;
}

/** ISO text as the local time that a datetime-local field shows. */
function local(iso) {
  const ms = iso && !SPANS[iso] ? Date.parse(iso) : NaN;
  return Number.isFinite(ms) ? new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16) : "";
}
