// A wall of pictures of any length: only the cards on the screen, and a few rows beyond it, exist.

const LEAST = 128, WORDS = 24, BEYOND = 2, FAST = 4, SETTLED = 90;
const TALLEST = 17e6; // px of an element that browsers still lay out

export class Wall {
  // root scrolls, list holds the cards; dress(card, number) fills one, picture(number) is its address,
  // failed(address) is told of a picture that does not come, near(place) of what may be opened next
  constructor(root, list, { dress, picture, open, failed, near }) {
    Object.assign(this, { root, list, dress, picture, open, failed, near });
    this.order = new Uint32Array(0);
    this.cards = new Map();
    this.free = [];
    this.at = 0;
    this.seen = { top: 0, time: 0 };
    root.addEventListener("scroll", () => this.schedule(), { passive: true });
    new ResizeObserver(() => this.layout()).observe(root);
    list.addEventListener("click", (event) => {
      const card = event.target.closest(".card");
      if (card) this.open((this.at = Number(card.dataset.place)));
    });
    list.addEventListener("focusin", (event) => {
      const card = event.target.closest(".card");
      if (card) this.mark(Number(card.dataset.place));
    });
    list.addEventListener("pointerover", (event) => {
      const card = event.target.closest(".card");
      if (card) this.near(Number(card.dataset.place));
    });
  }

  show(order) {
    this.order = order;
    this.at = 0;
    for (const place of [...this.cards.keys()]) this.drop(place);
    this.root.scrollTop = 0;
    this.layout();
  }

  layout() {
    const width = this.root.clientWidth;
    if (!width) return;
    const first = Math.floor(this.root.scrollTop / (this.height || 1)) * (this.columns || 1);
    this.columns = Math.max(2, Math.floor(width / LEAST));
    this.side = Math.floor(width / this.columns);
    this.height = this.side + WORDS;
    const rows = Math.ceil(this.order.length / this.columns);
    this.rows = Math.min(rows, Math.floor(TALLEST / this.height));
    this.list.style.height = this.rows * this.height + "px";
    for (const [place, card] of this.cards) this.put(card, place);
    if (first) this.root.scrollTop = Math.floor(first / this.columns) * this.height;
    this.render();
  }

  get reach() { // masks that the wall can show; the rest is there for other filters
    return Math.min(this.order.length, this.rows * this.columns);
  }

  schedule() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.render(); });
  }

  render() {
    if (!this.columns) return;
    const top = this.root.scrollTop, now = performance.now();
    const speed = Math.abs(top - this.seen.top) / Math.max(1, now - this.seen.time);
    this.seen = { top, time: now };
    const from = Math.max(0, Math.floor(top / this.height) - BEYOND);
    const to = Math.min(this.rows, Math.ceil((top + this.root.clientHeight) / this.height) + BEYOND);
    const first = from * this.columns, end = Math.min(to * this.columns, this.order.length);
    for (const place of this.cards.keys()) if (place < first || place >= end) this.drop(place);
    const fast = speed > FAST;
    for (let place = first; place < end; place++) {
      const card = this.cards.get(place) || this.make(place);
      if (!fast) this.load(card);
    }
    clearTimeout(this.settling);
    if (fast) this.settling = setTimeout(() => { for (const c of this.cards.values()) this.load(c); }, SETTLED);
  }

  make(place) {
    const card = this.free.pop() || this.build();
    card.dataset.place = place;
    this.put(card, place);
    this.cards.set(place, card);
    card.hidden = false;
    this.refresh(card);
    return card;
  }

  build() {
    const card = document.createElement("li");
    card.className = "card";
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = -1;
    const frame = document.createElement("span"), image = document.createElement("img");
    const mark = document.createElement("span"), words = document.createElement("span");
    frame.className = "frame"; mark.className = "mark"; words.className = "words";
    image.addEventListener("error", () => { if (card.wanted) this.failed(card.wanted); });
    image.alt = ""; image.decoding = "async"; image.draggable = false;
    const what = document.createElement("span"), value = document.createElement("span");
    what.className = "what";
    words.append(what, value);
    frame.append(image);
    button.append(frame, mark, words);
    card.append(button);
    Object.assign(card, { button, image, mark, what, score: value }); // a list item has a value of its own
    this.list.append(card);
    return card;
  }

  put(card, place) {
    const row = Math.floor(place / this.columns), column = place % this.columns;
    card.style.width = this.side + "px";
    card.style.height = this.height + "px";
    card.style.transform = `translate(${column * this.side}px,${row * this.height}px)`;
  }

  drop(place) {
    const card = this.cards.get(place);
    this.cards.delete(place);
    card.image.removeAttribute("src"); // what is not yet there is not wanted any more
    card.wanted = "";
    card.hidden = true;
    this.free.push(card);
  }

  refresh(card) {
    const place = Number(card.dataset.place), number = this.order[place];
    card.button.tabIndex = place === this.at ? 0 : -1;
    card.setAttribute("aria-setsize", this.order.length);
    card.setAttribute("aria-posinset", place + 1);
    this.dress(card, number);
  }

  load(card) {
    const address = this.picture(this.order[Number(card.dataset.place)]);
    if (card.wanted !== address) card.image.src = card.wanted = address;
  }

  refreshAll() {
    for (const card of this.cards.values()) { this.refresh(card); this.load(card); }
  }

  mark(place) {
    const before = this.cards.get(this.at);
    this.at = place;
    this.near(place);
    if (before) before.button.tabIndex = -1;
    const card = this.cards.get(place);
    if (card) card.button.tabIndex = 0;
  }

  go(place, focus = true) {
    if (!this.reach) return;
    place = Math.min(Math.max(0, place), this.reach - 1);
    const top = Math.floor(place / this.columns) * this.height;
    const view = this.root.clientHeight;
    if (top < this.root.scrollTop) this.root.scrollTop = top;
    else if (top + this.height > this.root.scrollTop + view) this.root.scrollTop = top + this.height - view;
    this.render();
    this.mark(place);
    const card = this.cards.get(place);
    if (card && focus) card.button.focus({ preventScroll: true });
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.root.clientHeight / this.height)) * this.columns;
    const steps = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
      PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity,
    };
    if (!(event.key in steps)) return false;
    this.go(this.at + steps[event.key]);
    return true;
  }
}
