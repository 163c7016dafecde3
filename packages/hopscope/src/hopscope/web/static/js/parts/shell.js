// The frame: navigation, connection lamp, theme switch, banner, and the page of the current route.

import { html, useEffect, useRef } from "../ui.js";
import { route } from "../router.js";
import { chooseTheme, theme } from "../theme.js";
import { lastFrameAt, liveState } from "../live.js";
import { reachable } from "../api.js";
import { client } from "../client.js";
import { isGone } from "../collector.js";
import { fit } from "../text.js";
import { focusHeading } from "./focus.js";
import { Icon } from "./icons.js";
import { Banner } from "./banner.js";

export const PLACES = [
  { page: "packets", href: "/packets", label: "Packets" },
  { page: "map", href: "/map", label: "Map" },
  { page: "nodes", href: "/nodes", label: "Nodes" },
  { page: "channels", href: "/channels", label: "Channels" },
  { page: "observers", href: "/observers", label: "Observers" },
  { page: "system", href: "/system", label: "System" },
];
const PARENT = { node: "nodes", observer: "observers" };

/** @param {{pages: Record<string, any>}} props the component of each page */
export function Shell({ pages }) {
  const { page, params } = route.value;
  const Page = pages[page] ?? pages.unknown;
  const main = useRef(null);
  const first = useRef(true);
  useEffect(() => {
    if (first.current) first.current = false;
    else focusHeading();
  }, [page]);
  return html`<div class="shell">
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>Skip to the page</a>
    <header class="topbar"><${Brand} /><${Connection} /></header>
    <nav class="nav" aria-label="Pages">
      <${Brand} />
      <div class="nav-links">
        ${PLACES.map((place) => html`<a href=${place.href} aria-current=${(PARENT[page] ?? page) === place.page ? "page" : undefined}>
          <${Icon} name=${place.page} /><span>${place.label}</span>
        </a>`)}
      </div>
      <div class="nav-foot">
        <${Connection} />
        <${ThemeSwitch} />
        <div class="version"><span>${client.value?.version ? `hopscope ${client.value.version}` : ""}</span><a href="/api/docs">API</a></div>
      </div>
    </nav>
    <${Banner} />
    <main class="main" id="main" tabindex="-1" ref=${main}><${Page} key=${page} ...${params} /></main>
  </div>`;
}

function Brand() {
  return html`<a class="brand" href="/packets">
    <svg viewBox="0 0 34 22" aria-hidden="true"><path class="hop" d="M4 18a6.500 6.500 0 0 1 13 0" /><path class="hop" d="M17 18a4.500 4.500 0 0 1 9 0" /><path class="hop" d="M26 18a2.500 2.500 0 0 1 5 0" /><circle class="origin" cx="4" cy="18" r="3" /></svg>
    <span>${fit(client.value?.title || "hopscope", 24)}</span>
  </a>`;
}

const SAID = { connecting: "Connecting…", live: "Live", waiting: "Reconnecting…", offline: "Offline", stopped: "Collector stopped" };

function Connection() {
  const feed = !reachable.value && liveState.value !== "live" ? "waiting" : liveState.value;
  const state = feed === "live" && isGone() ? "stopped" : feed;
  const title = state === "stopped" ? "No new packets can arrive: the collector is stopped" : `Live feed: ${SAID[state]}`;
  return html`<div class="connection" data-state=${state} title=${title}>
    <span class=${`lamp ${lastFrameAt.value ? "beat" : ""}`} key=${lastFrameAt.value} aria-hidden="true"></span>
    <span class="words">${SAID[state]}</span>
  </div>`;
}

export function ThemeSwitch() {
  const choices = [["light", "Light"], ["dark", "Dark"], ["system", "Auto"]];
  return html`<div class="themes" role="group" aria-label="Theme">
    ${choices.map(([name, label]) => html`<button type="button" aria-pressed=${theme.value === name} onClick=${() => chooseTheme(name)}>${label}</button>`)}
  </div>`;
}
