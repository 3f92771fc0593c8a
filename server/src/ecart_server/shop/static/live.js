// Subscribes to the versions of the session's cart, by server-sent events.

// Calls `onVersion(id)`; returns a function that reconnects. A hidden page has no connection.
export function follow(onVersion) {
  let source;
  let timer;
  function open() {
    clearTimeout(timer);
    source?.close();
    if (document.hidden) return;
    source = new EventSource(new URL("../../cart/events", import.meta.url));
    source.addEventListener("cart", (event) => onVersion(event.lastEventId));
    source.onerror = () => {
      // After an HTTP error the browser does not reconnect by itself.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 5000);
    };
  }
  document.addEventListener("visibilitychange", open);
  open();
  return open;
}
