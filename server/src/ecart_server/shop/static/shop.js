// Handles the forms of the page: they call the API and update the page instead of loading a new one.

import { Cart } from "./cart.js";
import { follow } from "./live.js";
import { isHeld, nameOf, note, render } from "./view.js";

const find = (selector) => document.querySelector(selector);
const drawer = find("#cart");
const behind = document.querySelectorAll("header, main, footer, .skip");
const { cart: known, etag } = drawer.dataset;
let alarm, undone;

const cart = new Cart(known ? JSON.parse(known) : null, etag, {
  changed,
  refused: (text) => note(`${text[0].toUpperCase()}${text.slice(1)}.`),
  trouble: (isThere) => (find("#trouble").hidden = !isThere),
});
const shift = (line) => cart.shift((press) => press.lineId === line.id);

const DO = {
  add(form) {
    const chosen = [...new FormData(form)].filter(([name]) => name.startsWith("option:"));
    const options = chosen.map(([name, value]) => [name.slice(7), JSON.parse(value)]);
    note("");
    cart.add(form.elements.sku.value, Object.fromEntries(options), 1);
  },
  more: (form, line) => cart.add(line.sku, line.options, 1, line.id),
  less: (form, line) => (line.quantity + shift(line) > 1 ? cart.less(line) : DO.remove(form, line)),
  remove(form, line) {
    undone = { ...line, quantity: line.quantity + shift(line) };
    note(`${nameOf(line)} is out of the cart.`, true);
    cart.remove(line);
  },
  undo() {
    if (undone) cart.add(undone.sku, undone.options, undone.quantity, undone.id);
    undone = null;
    note("");
    drawer.focus();
  },
  checkout: () => cart.checkOut(),
  release: () => cart.ask("DELETE", "/cart/checkout"),
  dismiss: () => note(""),
};

function changed() {
  render(cart);
  drawer.ariaBusy = `${cart.waiting.length > 0}`;
  if (!cart.known || cart.waiting.length) return;
  find("#live").textContent = `${cart.known.total_quantity} in the cart`;
  clearTimeout(alarm);
  const left = isHeld(cart.known) && Date.parse(cart.known.checkout.expires_at) - Date.now();
  if (left) alarm = setTimeout(changed, left + 100);
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!(form.dataset.do in DO)) return;
  const id = form.closest(".line")?.dataset.line;
  event.preventDefault();
  if (!id || cart.line(id)) DO[form.dataset.do](form, cart.line(id));
});

// While the drawer is open, the rest is inert. Escape closes it, and the focus returns to its link.
function turned() {
  const wasOpen = behind[0].inert;
  const isOpen = location.hash === "#cart";
  for (const part of behind) part.inert = isOpen;
  if (isOpen) drawer.focus();
  else if (wasOpen) find("#to-cart").focus();
}
addEventListener("hashchange", turned);
document.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && location.hash === "#cart") location.hash = "#shopping";
});

follow((id) => cart.etag?.startsWith(`"${id}.`) || cart.ask("GET", "/cart"));
turned();
changed();
if (!cart.known) cart.ask("GET", "/cart");
