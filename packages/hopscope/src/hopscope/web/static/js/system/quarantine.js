// How often records could not be used, and why; with an operator's key, the newest of them as they came.

import { html, useState } from "../ui.js";
import { Wide } from "../parts/wide.js";
import { request, withQuery } from "../api.js";
import { useResource } from "../resource.js";
import { operatorKey } from "../operator.js";
import { count } from "../format.js";
import { fit } from "../text.js";
import { Ago } from "../parts/words.js";
import { Await, Failure } from "../parts/states.js";

export function Quarantine() {
  const of = useResource("/api/ingest/quarantine?limit=0", { everyMs: 10_000 });
  const [shown, setShown] = useState(null);
  const show = async (reason) => {
    try {
      const answer = await request(withQuery("/api/ingest/quarantine", { reason, limit: 20 }), { key: operatorKey.value });
      setShown({ reason, records: answer.records ?? [] });
    } catch (error) {
      setShown({ reason, error });
    }
  };
  return html`<${Await} of=${of} what="quarantine" rows=${3}>${(data) =>
    !data.counts?.length
      ? html`<p class="dim">None so far.</p>`
      : html`<${Wide} label="Refused records"><table class="table">
          <thead><tr><th>Reason</th><th>Source</th><th class="right">Records</th><th>Last</th><th><span class="visually-hidden">Actions</span></th></tr></thead>
          <tbody>${data.counts.map((row) => html`<tr key=${`${row.source}/${row.reason}`}>
            <td>${fit(row.reason, 40).replaceAll("_", " ")}</td>
            <td>${fit(row.source, 40)}</td>
            <td class="right num">${count(row.count)}</td>
            <td><${Ago} at=${row.lastAt} /></td>
            <td class="right">${operatorKey.value && html`<button type="button" class="button small" onClick=${() => show(row.reason)}>Show newest</button>`}</td>
          </tr>`)}</tbody>
        </table><//>
        ${shown && html`<${Records} shown=${shown} />`}`}<//>`;
}

function Records({ shown: { reason, records, error } }) {
  if (error) return html`<${Failure} small error=${error} what="Records" />`;
  return html`<div class="records"><h3>${reason.replaceAll("_", " ")}</h3>
    ${records.length === 0 && html`<p class="dim">None of them is kept any more.</p>`}
    ${records.map((record) => html`<article><div><${Ago} at=${record.at} /> · ${fit(record.source, 40)} · <span class="mono">${fit(record.topic, 120)}</span></div>
      <p>${fit(record.detail, 200)}</p><pre class="snippet"><code>${fit(record.record, 4096)}</code></pre></article>`)}
  </div>`;
}
