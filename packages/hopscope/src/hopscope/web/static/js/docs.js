// The API's page: what /api/spec (OpenAPI 3.1) says, readable, with a way to try each read. No part of the app itself.

import { html, render, useState } from "./ui.js";
import "./theme.js";
import { request } from "./api.js";

const root = document.getElementById("docs");
const VERBS = ["get", "post", "put", "delete"];

/** @typedef {{path: string, verb: string, id: string, tag: string, of: any}} Operation */

/** @param {any} spec @returns {Operation[]} */
function operations(spec) {
  return Object.entries(spec.paths ?? {}).flatMap(([path, verbs]) =>
    VERBS.filter((verb) => verbs[verb]).map((verb) => ({ path, verb, of: verbs[verb], id: `${verb}${path}`, tag: verbs[verb].tags?.[0] ?? "other" })),
  );
}

/** The schema behind a reference. */
function resolve(spec, schema) {
  const name = schema?.$ref?.split("/").at(-1);
  return name ? (spec.components?.schemas?.[name] ?? {}) : (schema ?? {});
}

/** A type in a few words. */
function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").at(-1);
  if (schema.enum) return schema.enum.map((v) => JSON.stringify(v)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return [...new Set(choices.map(typeName))].join(" or ");
  if (schema.type === "array") return `list of ${typeName(schema.items) || "values"}`;
  if (Array.isArray(schema.type)) return schema.type.join(" or ");
  return schema.format ? `${schema.type} (${schema.format})` : (schema.type ?? "value");
}

function Docs({ spec }) {
  const all = operations(spec);
  const tags = [...new Set(all.map(({ tag }) => tag))];
  return html`
    <nav class="docs-nav" aria-label="Operations">
      <a href="/">Back to hopscope</a>
      ${tags.map((tag) => html`<h2 class="tag-name">${tag}</h2><ul>${all.filter((o) => o.tag === tag).map((o) => html`<li><a href=${`#${encodeURIComponent(o.id)}`}>${o.verb === "get" ? "" : `${o.verb.toUpperCase()} `}${o.path.replace(/^\/api\//, "")}</a></li>`)}</ul>`)}
    </nav>
    <main class="docs-main">
      <header>
        <h1>${spec.info?.title ?? ""} API <span class="dim num">${spec.info?.version}</span></h1>
        ${spec.info?.description && html`<p>${spec.info.description}</p>`}
        <p class="dim">Machines read the same as OpenAPI JSON at <a href="/api/spec">/api/spec</a>. The live feeds are server-sent events at <code>/api/live</code> and a WebSocket at <code>/ws</code>.</p>
      </header>
      ${all.map((operation) => html`<${Section} key=${operation.id} spec=${spec} operation=${operation} />`)}
    </main>
  `;
}

function Section({ spec, operation: { path, verb, id, of } }) {
  const parameters = (of.parameters ?? []).map((p) => resolve(spec, p));
  const good = Object.entries(of.responses ?? {}).find(([status]) => status.startsWith("2"))?.[1];
  const shape = resolve(spec, good?.content?.["application/json"]?.schema);
  return html`<section class="card operation" id=${encodeURIComponent(id)}>
    <header><span class=${`verb ${verb}`}>${verb}</span><h2>${path}</h2></header>
    ${of.description && html`<p>${of.description}</p>`}
    ${parameters.length > 0 && html`<${Rows} head=${["Parameter", "Type", "Meaning"]} rows=${parameters.map((p) => [html`<code>${p.name}</code>${p.required && " (required)"}`, typeName(p.schema), p.description ?? p.schema?.description ?? ""])} />`}
    ${shape.properties && html`<details><summary>Answer</summary>
      <${Rows} head=${["Key", "Type", "Meaning"]} rows=${Object.entries(shape.properties).map(([name, s]) => [html`<code>${name}</code>`, typeName(s), s.description ?? ""])} /></details>`}
    ${verb === "get" && html`<${Try} path=${path} parameters=${parameters} />`}
  </section>`;
}

function Rows({ head, rows }) {
  return html`<div class="table-frame"><table class="table"><thead><tr>${head.map((word) => html`<th>${word}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr>${row.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

function Try({ path, parameters }) {
  const [answer, setAnswer] = useState("");
  const needed = parameters.filter((p) => p.in === "path");
  const ask = async (event) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const url = path.replace(/\{(\w+)(?::\w+)?\}/g, (_, name) => encodeURIComponent(String(form.get(name) ?? "")));
    const extra = String(form.get("query") ?? "").replace(/^\?/, "");
    setAnswer("…");
    try {
      setAnswer(JSON.stringify(await request(extra ? `${url}?${extra}` : url), null, 2));
    } catch (error) {
      setAnswer(`${error.status || ""} ${error.message}`.trim());
    }
  };
  if (path === "/api/live") return null; // never ends
  return html`<details><summary>Try it</summary><form class="try" onSubmit=${ask}>
      ${needed.map((p) => html`<label>${p.name}<input class="field mono" name=${p.name} required /></label>`)}
      <label>query<input class="field mono" name="query" placeholder="limit=2" /></label>
      <button type="submit" class="button">Send</button>
    </form>
    ${answer && html`<pre class="snippet"><code>${answer.length > 20_000 ? `${answer.slice(0, 20_000)}\n…` : answer}</code></pre>`}</details>`;
}

request("/api/spec").then(
  (spec) => {
    root.replaceChildren();
    render(html`<${Docs} spec=${spec} />`, root);
  },
  (error) => {
    root.textContent = `The API's description could not be loaded: ${error.message}`;
  },
);
