// The cart of the last answer, and a queue of what was pressed since: one request at a time, in the
// order pressed, each with its own idempotency key. Until it is empty, quantities shown are optimistic.

import { send } from "./wire.js";

const pathOf = (lineId) => `/cart/items/${encodeURIComponent(lineId)}`;

export class Cart {
  waiting = [];

  // Callbacks: `on.changed()` to render, `on.refused(text)`, `on.trouble(isOffline)`.
  constructor(known, etag, on) {
    Object.assign(this, { known, etag, on });
  }

  line(id) {
    return this.known?.items.find((item) => item.id === id);
  }

  // Units that the waiting presses which `match` selects will add.
  shift(match) {
    return this.waiting.filter(match).reduce((sum, press) => sum + (press.units ?? 0), 0);
  }

  add(sku, options, quantity, lineId) {
    const call = { method: "POST", path: "/cart/items", body: { sku, quantity, options } };
    this.press({ sku, lineId, units: quantity, plan: () => call });
  }

  // One less than the quantity known when it is sent. If the cart has changed by then, it is retried.
  less({ id, sku }) {
    const plan = () => {
      const body = { quantity: this.line(id)?.quantity - 1 };
      return this.line(id) && { ...this.seen("PATCH", pathOf(id)), body };
    };
    this.press({ sku, lineId: id, units: -1, plan, isPlannedAgain: true });
  }

  remove({ id }) {
    this.press({ plan: () => this.line(id) && { method: "DELETE", path: pathOf(id) } });
  }

  checkOut() {
    this.press({ plan: () => this.seen("POST", "/cart/checkout") });
  }

  ask(method, path) {
    this.press({ plan: () => ({ method, path }) });
  }

  seen(method, path) {
    return { method, path, headers: { "If-Match": this.etag } };
  }

  press(press) {
    this.waiting.push(press);
    this.on.changed();
    if (this.waiting.length === 1) this.sendAll();
  }

  async sendAll() {
    while (this.waiting.length) {
      if (await this.isDone(this.waiting[0])) this.waiting.shift();
      this.on.changed();
    }
  }

  async isDone({ plan, isPlannedAgain }) {
    const call = plan();
    if (!call) return true;
    const { status, etag, body } = await send(call, this.on.trouble);
    const cart = status === 200 ? body.cart ?? body : body.cart;
    if (cart) Object.assign(this, { known: cart, etag });
    if (status === 412 && isPlannedAgain) return false;
    if (status === 412) this.on.refused("the cart has changed meanwhile; please look again");
    else if (status >= 400) this.on.refused(body.detail);
    if (status === 404 || status === 409) this.ask("GET", "/cart");
    return true;
  }
}
