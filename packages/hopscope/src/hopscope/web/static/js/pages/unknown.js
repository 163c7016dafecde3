// A path that no page has.

import { html } from "../ui.js";
import { Empty } from "../parts/states.js";

export function UnknownPage() {
  return html`<div class="page scrolls">
    <h1 class="visually-hidden" tabindex="-1">Page not found</h1>
    <${Empty} title="There is no such page"><p><a href="/packets">Packets</a> has what the mesh is saying now.</p><//>
  </div>`;
}
