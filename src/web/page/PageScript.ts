// PageScript: the page's only script: puts newer parts in the place of older ones as server-sent events bring them. The page is whole
// without it. Edge: the parts are HTML that Html.ts has made, from the same origin; where the focus is nothing is replaced.

export const pageScript = `"use strict";
(() => {
  const live = document.getElementById("live");
  const say = (text) => { if (live.textContent !== text) live.textContent = text; };
  const pending = new Map();
  const place = () => {
    for (const [id, text] of pending) {
      const part = document.getElementById(id);
      if (part === null || part.contains(document.activeElement)) continue;
      pending.delete(id);
      part.innerHTML = text;
    }
  };
  const events = new EventSource("status.events");
  events.onmessage = (event) => {
    for (const [id, text] of JSON.parse(event.data)) pending.set(id, text);
    place();
    say("Live.");
  };
  events.onerror = () =>
    say(events.readyState === EventSource.CLOSED
      ? "Not live: too many look, or the controller has not begun. Reload to try again."
      : "Not live: the connection is lost, and tried again.");
})();
`
