// Imports of another analyzer's history: what each brought, and for an operator the way to begin one.

import { html, useEffect, useState } from "../ui.js";
import { request } from "../api.js";
import { operatorKey } from "../operator.js";
import { useResource } from "../resource.js";
import { refreshMigrations } from "../migrations.js";
import { count } from "../format.js";
import { isGone } from "../collector.js";
import { fit } from "../text.js";
import { Ago } from "../parts/words.js";
import { Await } from "../parts/states.js";
import { Wide } from "../parts/wide.js";

export function Imports() {
  const of = useResource("/api/imports", { everyMs: 5000 });
  return html`
    <${Await} of=${of} what="imports" rows=${2}>${({ imports }) =>
      imports.length ? [...imports].reverse().map((one) => html`<${Report} key=${one.import} report=${one} />`) : html`<p class="dim">None. The history of a CoreScope database comes along with <code>hopscope import FILE</code>, while packets keep arriving.</p>`}<//>
    ${operatorKey.value && html`<${Begin} asked=${of.reload} />`}
  `;
}

/** What stands for a state where its name says too little. */
const STATES = { waiting: "waits for the collector" };
const ENDED = new Set(["done", "failed", "cancelled", "refused"]);

function Report({ report }) {
  const { state, error, tables, leftOut, quarantine, notes } = report;
  const short = ENDED.has(state) && tables.length > 0 && !report.accountedFor; // a refused one has read no row
  const sum = (key) => tables.reduce((total, table) => total + (table[key] ?? 0), 0);
  return html`<details class="import" open=${state !== "done" || Boolean(error) || short}>
    <summary><strong>${fit(report.file, 80)}</strong> <span class="status" data-status=${state}><span class="lamp" aria-hidden="true"></span>${STATES[state] ?? state}</span>
      <span class="dim">${report.endedAt ? html`ended <${Ago} at=${report.endedAt} />` : html`asked <${Ago} at=${report.requestedAt} />`},
      ${" "}${count(sum("imported"))} imported, ${count(sum("merged"))} merged, ${count(sum("quarantined"))} set aside</span>
      ${report.accountedFor && html` <span class="tag good">every row accounted for</span>`}
      ${short && html` <span class="tag">not every row accounted for</span>`}</summary>
    ${error && html`<p class="hint bad">${fit(error, 300)}</p>`}
    ${tables.length > 0 && html`<${Wide} label="Rows of the import"><table class="table">
      <thead><tr><th>Table</th><th class="right">At the start</th><th class="right">Read</th><th class="right">Imported</th><th class="right">Merged</th><th class="right">Set aside</th><th class="right">Vanished</th></tr></thead>
      <tbody>${tables.map((t) => html`<tr key=${t.table}><td class="mono">${t.table}</td>${[t.rowsAtStart, t.rowsRead, t.imported, t.merged, t.quarantined, t.vanished].map((n) => html`<td class="right num">${count(n)}</td>`)}</tr>`)}</tbody>
    </table><//>`}
    ${quarantine.length > 0 && html`<ul class="dim notes">${quarantine.map(({ reason, count: n }) => html`<li>${count(n)} set aside: ${fit(reason.replaceAll("_", " "), 120)}</li>`)}</ul>`}
    ${leftOut.length > 0 && html`<ul class="dim notes">${leftOut.map(({ table, reason }) => html`<li>${table} stays behind: ${fit(reason, 160)}</li>`)}</ul>`}
    ${notes?.length > 0 && html`<ul class="dim notes">${notes.map((note) => html`<li>${fit(note, 300)}</li>`)}</ul>`}
  </details>`;
}

/** The import directory's files, and the button. @param {{asked: () => void}} props */
function Begin({ asked }) {
  const [place, setPlace] = useState(null);
  const [said, setSaid] = useState({ text: "", bad: false });
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    request("/api/admin/import-files", { key: operatorKey.value }).then(setPlace, (error) => setSaid({ text: error.message, bad: true }));
  }, [operatorKey.value]);
  const ask = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await request("/api/admin/imports", { method: "POST", key: operatorKey.value, body: { file: String(new FormData(event.currentTarget).get("file")) } });
      setSaid({ text: isGone() ? "Noted. It begins when the collector runs again." : "The writer begins with it.", bad: false });
      asked();
      refreshMigrations();
    } catch (error) {
      setSaid({ text: error.message, bad: true });
    } finally {
      setBusy(false);
    }
  };
  return html`<div aria-live="polite">
    ${place?.configured === false && html`<p class="dim">Imports from this page need a configured import directory (<code>HOPSCOPE_IMPORT_DIR</code>).</p>`}
    ${place?.configured && !place.files.length && html`<p class="dim">The import directory holds no database file${place.refused.length > 0 && " that can be imported"}.</p>`}
    ${place?.files.length > 0 && html`<form class="inline" onSubmit=${ask}>
      <select class="field" name="file" aria-label="Database to import">${place.files.map((name) => html`<option value=${name}>${fit(name, 80)}</option>`)}</select>
      <button type="submit" class="button primary" disabled=${busy}>Import</button>
    </form>`}
    ${place?.refused?.length > 0 && html`<ul class="dim notes">${place.refused.map(({ file, reason }) => html`<li key=${file}>${fit(file, 80)} cannot be imported: ${reason}</li>`)}</ul>`}
    ${said.text && html`<p class=${said.bad ? "hint bad" : "hint done"}>${fit(said.text, 200)}</p>`}
  </div>`;
}
