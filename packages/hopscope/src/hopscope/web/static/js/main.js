// Starts the app: configuration, live feed, migration watch, and the shell with its pages.

import { effect, html, render } from "./ui.js";
import "./theme.js";
import { client, loadClient } from "./client.js";
import { connect } from "./live.js";
import { watchMigrations } from "./migrations.js";
import { route } from "./router.js";
import { PLACES, Shell } from "./parts/shell.js";
import { PacketsPage } from "./pages/packets.js";
import { UnknownPage } from "./pages/unknown.js";
import { lazy } from "./parts/lazy.js";

/** @type {Record<string, any>} */
const PAGES = {
  packets: PacketsPage,
  map: lazy(() => import("./pages/map.js"), "MapPage"),
  nodes: lazy(() => import("./pages/nodes.js"), "NodesPage"),
  node: lazy(() => import("./pages/node.js"), "NodePage"),
  channels: lazy(() => import("./pages/channels.js"), "ChannelsPage"),
  observers: lazy(() => import("./pages/observers.js"), "ObserversPage"),
  observer: lazy(() => import("./pages/observer.js"), "ObserverPage"),
  system: lazy(() => import("./pages/system.js"), "SystemPage"),
  unknown: UnknownPage,
};
const PRELOAD_AFTER_MS = 3000;
const OTHER_TITLES = { node: "Node", observer: "Observer", unknown: "Not found" };

effect(() => {
  const place = PLACES.find(({ page }) => page === route.value.page);
  document.title = `${place?.label ?? OTHER_TITLES[route.value.page]} · ${client.value?.title || "hopscope"}`;
});

loadClient();
connect();
watchMigrations();
const root = document.getElementById("app");
root.replaceChildren();
render(html`<${Shell} pages=${PAGES} />`, root);
setTimeout(() => Object.values(PAGES).forEach((page) => page.preload?.()), PRELOAD_AFTER_MS);
