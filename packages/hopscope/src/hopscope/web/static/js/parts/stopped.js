// How it is said that nothing is collected any more.

import { html } from "../ui.js";
import { collector } from "../collector.js";
import { Ago } from "./words.js";

/** "stopped 3 min ago", to follow "the collector"; or when it last stored something where nobody saw its end. */
export function Stopped() {
  const { stoppedAt, lastReportAt } = collector.value;
  if (stoppedAt) return html`stopped <${Ago} at=${stoppedAt} />`;
  if (lastReportAt) return html`is stopped; it last stored something <${Ago} at=${lastReportAt} />`;
  return "is stopped";
}
