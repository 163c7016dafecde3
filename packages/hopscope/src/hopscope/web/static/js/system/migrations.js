// Every data migration with its state and figures; with an operator's key, what can be asked of it.

import { html, useState } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { MIGRATION_STATES } from "../generated.js";
import { askMigration, operatorKey } from "../operator.js";
import { inWords, migrations, refreshMigrations, whyInWords } from "../migrations.js";
import { count, duration, percent } from "../format.js";
import { fit } from "../text.js";
import { figures } from "../parts/banner.js";
import { Ago } from "../parts/words.js";

const VERBS = new Map(MIGRATION_STATES.map((state) => [state.name, state.verbs]));
/** What an operator may ask of it; a failure is acknowledged once. */
const verbsOf = ({ status, acknowledgedAt }) =>
  (VERBS.get(status) ?? []).filter((verb) => verb !== "acknowledge" || !acknowledgedAt);
// what happens now stands first, what is over last
const ORDER = ["failed", "unknown", "running", "verifying", "interrupted", "paused", "pending", "cancelled", "done"];
const STANDING = new Set(["interrupted", "paused", "unknown"]); // time goes by, and none of it is spent on these
const LASTING = new Set(["cancel"]); // asked for twice, because it cannot be taken back

/** An acknowledged failure waits for nobody. @param {{status: string, acknowledgedAt?: string | null}} migration */
const rank = ({ status, acknowledgedAt }) => ORDER.indexOf(acknowledgedAt ? "cancelled" : status);

/** @param {{status: string}[]} list */
const inOrder = (list) => [...list].sort((a, b) => rank(a) - rank(b));

export function MigrationTable() {
  const { list, error } = migrations.value;
  const [said, setSaid] = useState({ name: "", text: "" });
  const ask = async (name, verb) => {
    setSaid({ name, text: `asked to ${verb}…` });
    try {
      await askMigration(name, verb);
      await refreshMigrations();
      setSaid({ name: "", text: "" });
    } catch (failure) {
      setSaid({ name, text: failure.message });
    }
  };
  return html`
    ${error && html`<p class="hint bad">The state of data migrations cannot be read: ${fit(error, 200)}</p>`}
    ${!list.length && !error && html`<p class="dim">None. Stored data is as this version needs it.</p>`}
    ${list.length > 0 && html`<${Wide} label="Migrations"><table class="table stacked">
      <thead><tr><th>Migration</th><th>State</th><th>Progress</th><th class="right">Set aside</th><th>Took</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
      <tbody>${inOrder(list).map((m) => html`<tr key=${m.name} data-status=${m.status}>
        <td><strong>${inWords(m.name)}</strong><div class="dim mono">${fit(m.name, 60)}</div></td>
        <td><span class="status" data-status=${m.status}><span class="lamp" aria-hidden="true"></span>${m.status}${m.acknowledgedAt && ", acknowledged"}</span>
          <div class="dim">${m.errorMessage ? fit(m.errorMessage, 200) : m.reason ? fit(whyInWords(m.reason), 120) : ""}</div></td>
        <td>${m.status === "pending" && !m.rowsProcessed ? html`<span class="dim">–</span>` : html`<span class="num">${figures(m)}</span>`}${percent(m.rowsProcessed, m.rowsTotal) !== null && m.status !== "done" && html`<div class="meter" aria-hidden="true"><div style=${{ width: `${percent(m.rowsProcessed, m.rowsTotal)}%` }}></div></div>`}</td>
        <td class="right num"><span class="unit">set aside: </span>${count(m.quarantined)}</td>
        <td>${STANDING.has(m.status) ? html`<span class="dim">${m.startedAt ? html`begun <${Ago} at=${m.startedAt} />` : "–"}</span>` : html`<span class="unit">took </span>`}${!STANDING.has(m.status) && (typeof m.elapsedSec === "number" ? html`<span class="num">${duration(m.elapsedSec)}</span>` : html`<span class="dim">–</span>`)}${m.endedAt && html`<div class="dim">ended <${Ago} at=${m.endedAt} /></div>`}</td>
        <td class="right verbs">${operatorKey.value && verbsOf(m).map((verb) => html`<${Verb} key=${verb} verb=${verb} what=${inWords(m.name)} ask=${() => ask(m.name, verb)} />`)}
          ${said.name === m.name && said.text && html`<div class="hint" aria-live="polite">${fit(said.text, 160)}</div>`}</td>
      </tr>`)}</tbody>
    </table><//>`}`;
}

function Verb({ verb, what, ask }) {
  const lasting = LASTING.has(verb);
  const [sure, setSure] = useState(!lasting);
  const press = () => (sure ? ask() : setSure(true));
  const words = sure && lasting ? `Really ${verb}` : verb.charAt(0).toUpperCase() + verb.slice(1);
  return html`<button type="button" class="button small" aria-label=${`${words}: ${what}`} onClick=${press} onBlur=${() => setSure(!lasting)}>${words}</button>`;
}
