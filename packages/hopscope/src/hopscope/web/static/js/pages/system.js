// The System page: is it healthy, how fast does it answer, what do the sources bring, what is being migrated.

import { html, useState } from "../ui.js";
import { useResource } from "../resource.js";
import { checkKey, operatorKey, rememberKey } from "../operator.js";
import { client } from "../client.js";
import { narrow } from "../screen.js";
import { Await } from "../parts/states.js";
import { ThemeSwitch } from "../parts/shell.js";
import { Summary } from "../system/summary.js";
import { Endpoints } from "../system/endpoints.js";
import { Writer } from "../system/writer.js";
import { Sources } from "../system/sources.js";
import { Quarantine } from "../system/quarantine.js";
import { MigrationTable } from "../system/migrations.js";
import { Imports } from "../system/imports.js";

const EVERY_MS = 5000;
const focusOnce = (field) => field?.focus(); // one function, so that drawing again does not focus again

export function SystemPage() {
  const stats = useResource("/api/stats", { everyMs: EVERY_MS });
  const perf = useResource("/api/perf", { everyMs: EVERY_MS });
  const sources = useResource("/api/mqtt/status", { everyMs: EVERY_MS });
  return html`<div class="page scrolls">
    <header class="page-head">
      <h1 tabindex="-1">System</h1>
      <div class="tools">${narrow.value && html`<${ThemeSwitch} />`}<${OperatorKey} /></div>
    </header>
    <div class="columns">
      <section class="wide" aria-label="Totals"><${Await} of=${stats} what="totals" rows=${2}>${(data) => html`<${Summary} stats=${data} perf=${perf.state.value.data} sources=${sources.state.value.data} />`}<//></section>
      <section class="card wide"><h2>Migrations</h2><${MigrationTable} /></section>
      <section class="card wide"><h2>Imports</h2><${Imports} /></section>
      <section class="card wide"><h2>Sources</h2><${Await} of=${sources} what="sources" rows=${3}>${(data) => html`<${Sources} status=${data} />`}<//></section>
      <section class="card wide"><h2>Writer</h2><${Await} of=${perf} what="writer figures" rows=${4}>${(data) => html`<${Writer} perf=${data} at=${perf.state.value.at} />`}<//></section>
      <section class="card wide"><h2>Answers</h2><${Await} of=${perf} what="timings" rows=${6}>${(data) => html`<${Endpoints} perf=${data} />`}<//></section>
      <section class="card wide"><h2>Records that could not be used</h2><${Quarantine} /></section>
    </div>
    <p class="page-foot dim">${client.value?.version ? `hopscope ${client.value.version} · ` : ""}<a href="/api/docs">Description of the API</a></p>
  </div>`;
}

/** The key that lets this tab ask for things; kept in session storage only, and only once the server has taken it. */
function OperatorKey() {
  const [typing, setTyping] = useState(false);
  const [refused, setRefused] = useState("");
  if (client.value && !client.value.operator) return html`<span class="dim" title="Set HOPSCOPE_API_KEY to allow operator actions">No operator key is configured</span>`;
  if (operatorKey.value) return html`<span class="tag good">operator</span><button type="button" class="button small" onClick=${() => rememberKey("")}>Forget key</button>`;
  if (!typing) return html`<button type="button" class="button" onClick=${() => setTyping(true)}>Operator key…</button>`;
  const enter = async (event) => {
    event.preventDefault();
    const key = String(new FormData(event.currentTarget).get("key")).trim();
    try {
      await checkKey(key);
      setTyping(false);
      setRefused("");
      rememberKey(key);
    } catch (error) {
      setRefused(error.message);
    }
  };
  const away = (event) => event.key === "Escape" && (setTyping(false), setRefused(""));
  return html`<form class="inline operator-key" onSubmit=${enter} onKeyDown=${away}>
    <label><span class="visually-hidden">Operator key</span><input class="field" name="key" type="password" required autocomplete="off" placeholder="operator key" aria-invalid=${refused ? "true" : undefined} aria-describedby="key-refused" ref=${focusOnce} /></label>
    <button type="submit" class="button primary">Use for this tab</button>
    <p class="hint bad" id="key-refused" aria-live="polite">${refused}</p>
  </form>`;
}
