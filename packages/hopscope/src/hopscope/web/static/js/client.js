// What the server says about this installation: title, regions, tiles, whether a source is configured.

import { signal } from "./ui.js";
import { request } from "./api.js";

/** null until it was loaded. */
export const client = signal(null);
/** The last failure to load it; null: none. */
export const clientError = signal(null);

/** Load it; a failure is kept for the page to show and tried again. */
export async function loadClient() {
  try {
    client.value = await request("/api/config/client");
    clientError.value = null;
  } catch (error) {
    clientError.value = error;
    setTimeout(loadClient, 5000);
  }
}
