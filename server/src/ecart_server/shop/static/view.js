// Renders the cart into the elements of the page that the server made.

const find = (selector, within = document) => within.querySelector(selector);
const drawer = find("#cart");
const lines = find("#lines");
const cards = [...document.querySelectorAll(".card")];
const signs = JSON.parse(drawer.dataset.signs);
const pictures = new Map(cards.map((card) => [card.dataset.sku, find("img", card).src]));
const WORDS = new Map([[true, "yes"], [false, "no"], [null, "none"]]);

export const nameOf = (item) => item.title ?? item.sku;
export const isHeld = ({ checkout }) => Date.parse(checkout?.expires_at) > Date.now();

const amount = (text, currency) =>
  text === null ? "" : currency in signs ? signs[currency] + text : `${text}\u00a0${currency}`;
const chosen = (options) =>
  Object.entries(options).map(([name, value]) => `${name} ${WORDS.get(value) ?? value}`).join(", ");

function put(within, name, text) {
  const place = find(`[data-show="${name}"]`, within);
  if (place.textContent !== `${text ?? ""}`) place.textContent = text;
}

export function render(state) {
  const cart = state.known;
  if (!cart) return;
  find("#badge").textContent = cart.total_quantity + state.shift(() => true);
  for (const card of cards) renderCard(state, card);
  renderLines(state);
  find('[data-part="away"]')?.remove();
  find('[data-part="empty"]').hidden = cart.items.length > 0;
  find('[data-part="sum"]').hidden = cart.items.length === 0;
  find('[data-part="open"]').hidden = isHeld(cart);
  find('[data-part="held"]').hidden = !isHeld(cart);
  put(drawer, "total", amount(cart.subtotal, cart.currency));
  const until = new Date(cart.checkout?.expires_at ?? 0);
  put(drawer, "until", until.toLocaleTimeString([], { timeStyle: "short" }));
}

function renderCard(state, card) {
  const { sku } = card.dataset;
  const there = state.known.items.filter((item) => item.sku === sku);
  const units = there.reduce((sum, item) => sum + item.quantity, state.shift((press) => press.sku === sku));
  put(card, "has", units > 0 ? `${units} in the cart` : "");
}

function renderLines(state) {
  const focused = document.activeElement.closest(".line");
  const old = new Map([...lines.children].map((line) => [line.dataset.line, line]));
  const wanted = state.known.items.map((item) => {
    const line = old.get(item.id) ?? newLine(item);
    renderLine(state, item, line);
    return line;
  });
  for (const line of old.values()) if (!wanted.includes(line)) line.remove();
  wanted.forEach((line, place) => {
    if (lines.children[place] !== line) lines.insertBefore(line, lines.children[place] ?? null);
  });
  // If the focused line is gone, the focus goes to the button that undoes it.
  if (focused && !focused.isConnected) (find("#note:not([hidden]) button") ?? drawer).focus();
}

function newLine({ id, sku, title }) {
  const line = find("#line").content.firstElementChild.cloneNode(true);
  const name = title ?? sku;
  const label = (selector, text) => find(selector, line).setAttribute("aria-label", text);
  line.dataset.line = id;
  find("img", line).src = pictures.get(sku) ?? drawer.dataset.pictures + encodeURIComponent(sku);
  label(".stepper", `Quantity of ${name}`);
  label('[data-do="remove"] button', `Remove ${name}`);
  label('[data-do="less"] button', `One ${name} less`);
  label('[data-do="more"] button', `One ${name} more`);
  return line;
}

function renderLine(state, item, line) {
  const { currency, messages } = state.known;
  for (const button of line.querySelectorAll("button")) button.disabled = isHeld(state.known);
  put(line, "name", nameOf(item));
  put(line, "options", chosen(item.options));
  put(line, "price", item.unit_price && `${amount(item.unit_price, currency)} each`);
  put(line, "warning", messages.find((message) => message.line_id === item.id)?.text ?? "");
  put(line, "quantity", item.quantity + state.shift((press) => press.lineId === item.id));
  put(line, "subtotal", amount(item.subtotal, currency));
}

export function note(text, canUndo = false) {
  put(document, "note", text);
  find("#note form").hidden = !canUndo;
  find("#note").hidden = !text;
}
