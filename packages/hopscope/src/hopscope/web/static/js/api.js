// Requests to the API of this origin. A failure is always an ApiError with a sentence for people; never an empty answer.

import { signal } from "./ui.js";

/** How long until what could not be loaded is asked for again, while nobody presses a button. */
export const RETRY_MS = 5000;

/** False after a request that did not reach the server, until one does. */
export const reachable = signal(true);

export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {number} status HTTP status; 0 when the server was not reached
   * @param {Record<string, unknown>} body what the server said, when it was JSON
   */
  constructor(message, status, body = {}) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.body = body;
  }
}

/**
 * @param {string} path such as "/api/stats"
 * @param {{signal?: AbortSignal, method?: string, body?: unknown, key?: string}} options
 * @returns {Promise<any>} the decoded JSON
 */
export async function request(path, { signal: abort, method = "GET", body, key } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["X-API-Key"] = key;
  let response;
  try {
    response = await fetch(path, { method, headers, signal: abort, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    reachable.value = false;
    throw new ApiError("The server cannot be reached.", 0);
  }
  reachable.value = true;
  const answer = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer;
  throw new ApiError(explain(response, answer), response.status, answer ?? {});
}

/** Whether asking again may help: the server was away or could not answer, rather than saying no. @param {any} error */
export const mayPass = (error) => error?.status === 0 || error?.status >= 500;

/** One sentence for a failed answer: the server's own words when it has some. */
function explain(response, answer) {
  const said = answer?.error?.message ?? answer?.error ?? answer?.detail ?? answer?.reason;
  if (typeof said === "string" && said) return said;
  if (response.ok) return "The server's answer could not be read.";
  return `The server answered ${response.status} ${response.statusText}`.trim() + ".";
}

/**
 * A path with query parameters; empty ones are left out.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} query
 */
export function withQuery(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "" && value !== false) parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}
