// The operator's API key, kept in this tab's session storage only, and the requests that need it.

import { signal } from "./ui.js";
import { ApiError, request } from "./api.js";

const KEY = "hopscope.operator-key";

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? "";
  } catch {
    return ""; // storage may be forbidden
  }
}

/** Empty: no key was entered. */
export const operatorKey = signal(stored());

/** @param {string} key empty forgets it */
export function rememberKey(key) {
  operatorKey.value = key;
  try {
    key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY);
  } catch {
    // it then lasts as long as this page
  }
}

/**
 * Ask whether this installation takes a key. Raises ApiError with a sentence for people when it does not.
 * @param {string} key
 */
export async function checkKey(key) {
  if (!/^[\x21-\x7e]+$/.test(key)) throw new ApiError("A key has only letters, digits and signs of ASCII, and no spaces.", 0);
  try {
    await request("/api/admin/import-files", { key });
  } catch (error) {
    throw error.status === 403 ? new ApiError("This is not the key of this installation.", 403) : error;
  }
}

/**
 * Ask the writer for something. Raises ApiError with the server's reason.
 * @param {string} name of the migration
 * @param {"pause"|"resume"|"cancel"|"retry"|"acknowledge"} verb
 */
export function askMigration(name, verb) {
  return request(`/api/admin/migrations/${encodeURIComponent(name)}/${verb}`, { method: "POST", key: operatorKey.value });
}
