// What a packet says, in one line. One entry per payload type; names and messages stay text nodes.

import { html } from "../ui.js";
import { AirText } from "../parts/words.js";
import { typeOf, roleLabel } from "../parts/kind.js";
import { decibel, shortKey } from "../format.js";

const code = (text) => html`<code>${text}</code>`;
const endpoints = (p) => html`${code(p.srcHash ?? "??")} <span class="dim">to</span> ${code(p.destHash ?? "??")}`;

/** The message without the sender's name that stands before it. @param {any} p */
export const saidText = (p) => (p.sender && String(p.text).startsWith(`${p.sender}: `) ? p.text.slice(p.sender.length + 2) : p.text);

/** The role an advert's flags state. */
export function roleOf(flags = {}) {
  return ["repeater", "room", "sensor"].find((role) => flags[role]) ?? (flags.chat || flags.companion ? "companion" : "");
}

function advert(p) {
  const forged = p.signatureValid === false;
  return html`${forged && html`<span class="tag bad">forged or damaged</span> `}<${AirText} text=${p.name} cap=${40} class="strong" none=${shortKey(p.pubKey ?? "", 12)} />${" "}<span class="dim">${roleLabel(roleOf(p.flags)).toLowerCase()}</span>`;
}

function channelText(p) {
  if (p.text === undefined) return locked(p);
  return html`<span class="tag"><${AirText} text=${p.channel} cap=${24} none="channel" /></span>${" "}${p.sender && html`<${AirText} text=${p.sender} cap=${28} class="strong" /><span class="dim">:</span>${" "}`}<${AirText} text=${saidText(p)} cap=${160} none="(empty)" />`;
}

function locked(p) {
  const hash = p.channelHashHex ?? (p.channelHash ?? 0).toString(16).toUpperCase().padStart(2, "0");
  return html`<span class="dim">encrypted on channel</span> ${code(hash)}`;
}

const LINES = {
  ADVERT: advert,
  GRP_TXT: channelText,
  GRP_DATA: (p) => html`${locked(p)}${p.dataType !== undefined && html` <span class="dim">data type</span> ${code(p.dataType)}`}`,
  TXT_MSG: (p) => html`<span class="dim">direct message</span> ${endpoints(p)}`,
  REQ: (p) => html`<span class="dim">request</span> ${endpoints(p)}`,
  RESPONSE: (p) => html`<span class="dim">response</span> ${endpoints(p)}`,
  PATH: (p) => html`<span class="dim">path</span> ${endpoints(p)}`,
  ANON_REQ: (p) => html`<span class="dim">login or query to</span> ${code(p.destHash ?? "??")}`,
  ACK: (p) => html`<span class="dim">acknowledges</span> ${code(p.extraHash ?? "")}`,
  TRACE: (p) => html`<span class="dim">trace</span> ${code((p.tag ?? 0).toString(16).toUpperCase().padStart(8, "0"))}${p.snrValues?.length > 0 && html` <span class="dim">${p.snrValues.map((v) => decibel(v, "").trim()).join(" · ")} dB</span>`}`,
  MULTIPART: (p) => html`<span class="dim">part, ${p.remaining ?? "?"} to come,</span> ${p.innerTypeName ?? ""}`,
  CONTROL: (p) => html`<span class="dim">${String(p.ctrlSubtype ?? "control").toLowerCase().replaceAll("_", " ")}</span> ${p.ctrlTag !== undefined && code(p.ctrlTag)}`,
  RAW_CUSTOM: (p) => html`<span class="dim">${p.rawLength ?? "?"} opaque bytes</span>`,
};

/** @param {{type: number, payload: any}} props */
export function Summary({ type, payload }) {
  if (payload?.error) return html`<span class="dim"><${AirText} text=${payload.error} cap=${120} /></span>`;
  const line = LINES[typeOf(type).name];
  return line ? line(payload ?? {}) : html`<span class="dim">reserved type</span>`;
}
