// Follows the session's cart: the server tells each version of it, whoever made it.

// Calls `told(id)`; gives a function that begins anew. A page that nobody sees holds no stream.
export function follow(told) {
  let source;
  let timer;
  function open() {
    clearTimeout(timer);
    source?.close();
    if (document.hidden) return;
    source = new EventSource("/cart/events");
    source.addEventListener("cart", (event) => told(event.lastEventId));
    source.onerror = () => {
      // One that was refused is not opened again by the browser itself.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 5000);
    };
  }
  document.addEventListener("visibilitychange", open);
  open();
  return open;
}
