// A page whose modules are loaded when it is first opened, so that the first page does not wait for the map's library.

import { html, useEffect, useState } from "../ui.js";
import { headingCame } from "./focus.js";
import { Failure, Loading } from "./states.js";

const RETRY_MS = 700;
const rest = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * @param {() => Promise<any>} load imports the module @param {string} name of the component it exports
 * @returns {((props: any) => any) & {preload: () => void}}
 */
export function lazy(load, name) {
  let Page = null;
  const take = (module) => (Page = module[name]);
  const fetched = () => load().then(take, () => rest(RETRY_MS).then(load).then(take)); // one slip is forgiven

  function Lazy(props) {
    const [error, setError] = useState(null);
    const [, shown] = useState(Page !== null);
    const failed = (cause) => {
      console.error(cause); // which file, and why
      setError(cause);
    };
    const begin = () => {
      setError(null);
      fetched().then(() => {
        shown(true);
        requestAnimationFrame(headingCame);
      }, failed);
    };
    useEffect(() => {
      if (!Page) begin();
    }, []);
    if (Page) return html`<${Page} ...${props} />`;
    if (error) return html`<${Failure} error=${new Error("Its files did not arrive.")} what="This page" retry=${begin} />`;
    return html`<${Loading} what="page" />`;
  }
  Lazy.preload = () => void (Page || fetched().catch(() => undefined)); // a failure shows when the page is opened
  return Lazy;
}
