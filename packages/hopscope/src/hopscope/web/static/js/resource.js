// Loading for components: what was loaded stays while it is loaded again, a failure is kept and can be retried.

import { useEffect, useSignal } from "./ui.js";
import { mayPass, request, RETRY_MS } from "./api.js";

/**
 * @typedef {{data: any, error: Error | null, loading: boolean, at: number}} Loaded
 */

/**
 * Load `path` now, when it changes, every `everyMs` while the page is visible, and again after a failure that may pass.
 * @param {string | null} path null: nothing to load
 * @param {{everyMs?: number}} options
 * @returns {{state: {value: Loaded}, reload: () => void}}
 */
export function useResource(path, { everyMs = 0 } = {}) {
  const state = useSignal({ data: null, error: null, loading: path !== null, at: 0 });
  const round = useSignal(0);
  const seen = useSignal(path);
  useEffect(() => {
    if (path === null) return undefined;
    const abort = new AbortController();
    let again = 0;
    const same = seen.value === path;
    seen.value = path;
    state.value = { ...(same ? state.value : { data: null, error: null, at: 0 }), loading: true };
    const load = () =>
      request(path, { signal: abort.signal }).then(
        (data) => (state.value = { data, error: null, loading: false, at: Date.now() }),
        (error) => {
          if (error.name === "AbortError") return;
          state.value = { ...state.value, error, loading: false };
          if (!everyMs && mayPass(error)) again = setTimeout(load, RETRY_MS);
        },
      );
    load();
    const timer = everyMs ? setInterval(() => document.hidden || load(), everyMs) : 0;
    const back = () => document.hidden || load(); // what was asked before the page was hidden is old by now
    if (everyMs) document.addEventListener("visibilitychange", back);
    return () => {
      document.removeEventListener("visibilitychange", back);
      abort.abort();
      clearInterval(timer);
      clearTimeout(again);
    };
  }, [path, round.value, everyMs]);
  return { state, reload: () => (round.value += 1) };
}
