// The page's clock: one signal that ticks each second while the page is visible.

import { signal } from "./ui.js";

/** Milliseconds since 1970 UTC. */
export const now = signal(Date.now());

const tick = () => {
  if (!document.hidden) now.value = Date.now();
};
setInterval(tick, 1000);
document.addEventListener("visibilitychange", tick);
