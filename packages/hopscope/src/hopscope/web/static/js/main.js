// Starts the app: configuration, live feed, migration watch, and the shell with its pages.

import { effect, html, render } from "./ui.js";
import "./theme.js";
import { client, loadClient } from "./client.js";
import { connect } from "./live.js";
import { watchMigrations } from "./migrations.js";
import { route } from "./router.js";
import { PLACES, Shell } from "./parts/shell.js";
import { PacketsPage } from "./pages/packets.js";
import { MapPage } from "./pages/map.js";
import { NodesPage } from "./pages/nodes.js";
import { NodePage } from "./pages/node.js";
import { ChannelsPage } from "./pages/channels.js";
import { ObserversPage } from "./pages/observers.js";
import { ObserverPage } from "./pages/observer.js";
import { SystemPage } from "./pages/system.js";
import { UnknownPage } from "./pages/unknown.js";

const PAGES = {
  packets: PacketsPage,
  map: MapPage,
  nodes: NodesPage,
  node: NodePage,
  channels: ChannelsPage,
  observers: ObserversPage,
  observer: ObserverPage,
  system: SystemPage,
  unknown: UnknownPage,
};

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
