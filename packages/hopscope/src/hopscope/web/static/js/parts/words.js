// Small pieces of text used on every page: text from the air, times, keys, figures to copy.

import { html, useState } from "../ui.js";
import { now } from "../clock.js";
import { absolute, relative, shortKey, toMs } from "../format.js";
import { fit } from "../text.js";

/**
 * Text that a stranger sent: isolated from the direction of its surroundings, always a text node.
 * @param {{text: unknown, cap?: number, none?: string, class?: string}} props `none` is shown when there is no text
 */
export function AirText({ text, cap = 64, none = "unnamed", class: extra = "" }) {
  const shown = fit(text, cap);
  if (!shown) return html`<span class="dim">${none}</span>`;
  const whole = shown.endsWith("…") ? fit(text, 300) : undefined;
  return html`<bdi class=${`air ${extra}`} dir="auto" title=${whole}>${shown}</bdi>`;
}

/**
 * How long ago, with the exact time on hover. Ticks by itself.
 * @param {{at: unknown, none?: string}} props
 */
export function Ago({ at, none = "never" }) {
  const ms = toMs(at);
  if (ms === null) return html`<span class="dim">${none}</span>`;
  return html`<time dateTime=${new Date(ms).toISOString()} title=${absolute(ms)}>${relative(ms, now.value)}</time>`;
}

/** @param {{text: string, digits?: number, label: string}} props a key or hash that can be copied */
export function Copyable({ text, digits = 0, label }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      return; // the browser did not allow it; the text can still be marked
    }
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  const shown = digits ? shortKey(text, digits) : text;
  if (!navigator.clipboard) return html`<code title=${text}>${shown}</code>`; // plain HTTP from another machine
  return html`<button type="button" class="copyable mono" title=${`${text} (copy)`} aria-label=${`Copy ${label} ${text}`} onClick=${copy}>
    ${copied ? "copied" : shown}
  </button>`;
}
