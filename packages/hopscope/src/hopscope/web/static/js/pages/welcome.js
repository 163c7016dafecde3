// The first page of an installation without any source: how to connect one.

import { html } from "../ui.js";

const TOML = `[[sources]]
name = "home"
url = "mqtt://broker.example:1883"
# username = "…"
# password = "…"`;

export function Welcome() {
  return html`<div class="page scrolls welcome">
    <div class="welcome-words">
      <h1 tabindex="-1">Nothing is connected yet</h1>
      <p>hopscope shows what observers of a MeshCore mesh publish over MQTT. Tell it where to listen, then start it again.</p>
      <h2>In <code>hopscope.toml</code></h2>
      <pre class="snippet"><code>${TOML}</code></pre>
      <h2>Or for a single broker, in the environment</h2>
      <pre class="snippet"><code>HOPSCOPE_MQTT_URL=mqtt://broker.example:1883 hopscope serve</code></pre>
      <h2>Or look around first</h2>
      <p><code>hopscope demo</code> serves this app with a small made-up mesh.</p>
      <p class="dim"><code>hopscope config check</code> says what is wrong with a configuration. <a href="/system">System</a> shows every source and what it brought.</p>
    </div>
  </div>`;
}
