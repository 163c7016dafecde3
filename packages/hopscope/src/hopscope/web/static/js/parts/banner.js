// The strip above every page: no packets can arrive, stored data is being changed in the background, or that failed.

import { html, useState } from "../ui.js";
import { now } from "../clock.js";
import { count, duration, percent } from "../format.js";
import { fit } from "../text.js";
import { collector, isGone } from "../collector.js";
import { inWords, linesNow, migrations, refreshMigrations, shownAs, waiting, whyInWords } from "../migrations.js";
import { askMigration, operatorKey } from "../operator.js";
import { Stopped } from "./stopped.js";

/**
 * Always in the document, so that screen readers know the region before it speaks. They are told of lines that come and
 * of states that change, not of figures or throttling, which change all the time.
 */
export function Banner() {
  const lines = linesNow(now.value);
  const { error, list } = migrations.value;
  const more = lines.length ? waiting(list) : 0;
  return html`<div class="banner" role="status" aria-atomic="false" aria-label="Collector, and changes of stored data">
    ${isGone() && html`<${NothingArrives} />`}
    ${error && html`<div class="notice bad"><strong>The state of data migrations cannot be read.</strong> ${fit(error, 200)}</div>`}
    ${lines.map((migration) => html`<${Line} key=${migration.name} migration=${migration} />`)}
    ${more > 0 && html`<div class="notice more">${more} more ${more === 1 ? "waits for its" : "wait for their"} turn</div>`}
  </div>`;
}

function NothingArrives() {
  return html`<div class="notice bad" data-collector=${collector.value.state}>
    <div class="notice-words">
      <strong>No new packets can arrive.</strong>
      <span aria-live="off">The collector <${Stopped} />${collector.value.state === "importing" && html`; <code>hopscope import</code> works in its place`}.</span>
    </div>
  </div>`;
}

function Line({ migration }) {
  const { name, status, errorMessage, reason, rowsProcessed: done, rowsTotal: total } = migration;
  const failed = status === "failed";
  const part = percent(done, total);
  return html`<div class=${`notice ${failed ? "bad" : ""}`} data-migration=${name} data-status=${status}>
    <div class="notice-words">
      <strong>${inWords(name)}</strong>
      <span>${status === "done" ? "done" : shownAs(status)}</span>
      ${failed && errorMessage && html`<span class="notice-error">${fit(errorMessage, 300)}</span>`}
      ${!failed && reason && status !== "done" && html`<span class="notice-reason" aria-live=${status === "running" ? "off" : undefined}>${fit(whyInWords(reason), 120)}</span>`}
      <span class="notice-figures num" aria-live="off">${figures(migration)}</span>
    </div>
    ${failed && operatorKey.value && html`<${Verbs} name=${name} />`}
    ${!failed && part !== null && html`<div class="progress" role="progressbar" aria-label=${inWords(name)} aria-valuenow=${Math.floor(part)} aria-valuemin="0" aria-valuemax="100">
      <div style=${{ width: `${part}%` }}></div>
    </div>`}
  </div>`;
}

/** "1,200 / 71,000 · 1 % · 850 rows/s · 1 min 22 s left"; what is unknown is left out. */
export function figures({ rowsProcessed: done, rowsTotal: total, rowsTotalEstimated, rate, etaSeconds, status }) {
  const part = percent(done, total);
  const moving = status === "running" || status === "verifying";
  return [
    total ? `${count(done)} / ${rowsTotalEstimated ? "about " : ""}${count(total)}` : `${count(done)} rows`,
    part === null ? null : `${Math.floor(part)} %`,
    moving && rate ? `${count(Math.round(rate))} rows/s` : null,
    moving && typeof etaSeconds === "number" ? `${duration(etaSeconds)} left` : null,
  ].filter(Boolean).join(" · ");
}

function Verbs({ name }) {
  const [said, setSaid] = useState("");
  const ask = (verb) => async () => {
    setSaid("asked…");
    try {
      await askMigration(name, verb);
      await refreshMigrations();
      setSaid("");
    } catch (error) {
      setSaid(error.message);
    }
  };
  return html`<div class="notice-verbs">
    ${said && html`<span>${fit(said, 120)}</span>`}
    <button type="button" class="button small" onClick=${ask("retry")}>Retry</button>
    <button type="button" class="button small" onClick=${ask("acknowledge")}>Acknowledge</button>
  </div>`;
}
