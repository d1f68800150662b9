"use strict";
// The wall of instances and the view of one of them, of gallery.html. What a dataset says is only
// ever read from attributes and written as text.
(() => {
const NS = "http://www.w3.org/2000/svg", DEEPEST = 40, PART = 84;
const $ = (id) => document.getElementById(id);
const all = (css, within = document) => [...within.querySelectorAll(css)];
const wall = $("wall"), cards = all(".card", wall), tiles = all(".tile");
const view = $("view"), stage = $("stage"), tools = $("tools");
let shown = cards, standing = PART, current = null, pushed = false;

// The wall

const value = (card, name) => (name in card.dataset ? Number(card.dataset[name]) : NaN);

const [choices, least, most] = ["filter", "from", "to"].map((name) => (tools ? all("[data-" + name + "]", tools) : []));

function fits(card) {
  return choices.every((s) => !s.value || card.dataset[s.dataset.filter] === s.value)
    && least.every((i) => i.value === "" || value(card, i.dataset.from) >= Number(i.value))
    && most.every((i) => i.value === "" || value(card, i.dataset.to) <= Number(i.value));
}

function arrange() {
  if (!tools) return;
  const [name, way] = $("sort").value.split(" "), sign = way === "up" ? 1 : -1;
  const last = (card) => (Number.isNaN(value(card, name)) ? 1 : 0); // without that score
  shown = cards.filter(fits);
  shown.sort((a, b) => last(a) - last(b) || (last(a) ? 0 : sign * (value(a, name) - value(b, name))));
  for (const card of shown) card.querySelector(".value").textContent = short(card, name);
  for (const card of cards) link(card).tabIndex = card === shown[0] ? 0 : -1;
  put(PART);
  $("count").textContent = (shown.length === cards.length ? "" : shown.length + " of ") + cards.length + " shown";
  $("none").hidden = shown.length > 0;
}

function put(count) { // the first of them, as thousands make a page too long to pass
  standing = count;
  wall.replaceChildren(...shown.slice(0, count));
  const left = Math.max(0, shown.length - count);
  $("further").hidden = !left;
  $("further").textContent = "Show " + Math.min(2 * PART, left) + " more of " + left;
}

function short(card, name) {
  const number = value(card, name);
  return Number.isNaN(number) ? "–" : name === "size" ? Math.round(number) + " px" : number.toFixed(2);
}

const link = (figure) => figure.querySelector(".pic");

function go(card) {
  const place = shown.indexOf(card);
  if (place >= standing) put(place + PART);
  for (const other of shown) link(other).tabIndex = other === card ? 0 : -1;
  link(card).focus();
}

function walk(event) {
  const card = event.target.closest(".card"), place = shown.indexOf(card);
  if (place < 0) return false;
  const columns = getComputedStyle(wall).gridTemplateColumns.split(" ").length;
  const steps = {
    ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns,
    Home: -Infinity, End: Infinity,
  };
  if (!(event.key in steps)) return false;
  go(shown[Math.min(Math.max(0, place + steps[event.key]), shown.length - 1)]);
  return true;
}

function only(element) {
  tools.reset();
  for (const select of choices) {
    const wanted = element.dataset["only" + select.dataset.filter];
    if (wanted !== undefined) select.value = wanted;
  }
  arrange();
}

// One of them, large: an SVG that is moved and zoomed by its view box

let whole = { x: 0, y: 0, w: 1, h: 1 }, seen = whole;
const pointers = new Map();

function look(to) {
  const box = stage.getBoundingClientRect(), aspect = Math.max(1, box.width) / Math.max(1, box.height);
  const w = Math.min(to.w, whole.w), h = Math.min(to.h, whole.h);
  const x = Math.min(Math.max(to.x + (to.w - w) / 2, whole.x), whole.x + whole.w - w);
  const y = Math.min(Math.max(to.y + (to.h - h) / 2, whole.y), whole.y + whole.h - h);
  seen = { x, y, w, h, aspect };
  stage.setAttribute("viewBox", [x, y, w, h].join(" "));
}

function frame(width, height) { // the picture and what of the stage is beside it
  const box = stage.getBoundingClientRect(), aspect = Math.max(1, box.width) / Math.max(1, box.height);
  const w = Math.max(width, height * aspect), h = w / aspect;
  whole = { x: (width - w) / 2, y: (height - h) / 2, w, h };
  look(whole);
}

function zoom(by, at) {
  const x = at ? at[0] : seen.x + seen.w / 2, y = at ? at[1] : seen.y + seen.h / 2;
  const w = Math.max(seen.w / by, whole.w / DEEPEST), h = w * (seen.h / seen.w);
  look({ x: x - ((x - seen.x) / seen.w) * w, y: y - ((y - seen.y) / seen.h) * h, w, h });
}

function at(event) {
  const box = stage.getBoundingClientRect();
  return [
    seen.x + ((event.clientX - box.left) / box.width) * seen.w,
    seen.y + ((event.clientY - box.top) / box.height) * seen.h,
  ];
}

function moved(event) {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  pointers.set(event.pointerId, event);
  const others = [...pointers.values()].filter((one) => one.pointerId !== event.pointerId);
  if (others.length) {
    const far = (one) => Math.max(10, Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY));
    zoom(far(event) / far(before), at({
      clientX: (event.clientX + others[0].clientX) / 2, clientY: (event.clientY + others[0].clientY) / 2,
    }));
  } else {
    const [x0, y0] = at(before), [x1, y1] = at(event);
    look({ ...seen, x: seen.x + x0 - x1, y: seen.y + y0 - y1 });
  }
}

function show(figure) {
  current = figure;
  const svg = figure.querySelector(".pic svg"), image = document.createElementNS(NS, "image");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  image.setAttribute("href", figure.querySelector(".pic img").src);
  image.setAttribute("width", width);
  image.setAttribute("height", height);
  stage.replaceChildren(image, ...[...svg.children].map((node) => node.cloneNode(true)));
  for (const path of all(".mask, .area", stage)) {
    const rim = path.cloneNode();
    rim.setAttribute("class", "rim");
    path.before(rim);
  }
  $("legend").replaceChildren(...all(".legend", figure).map((one) => one.cloneNode(true)));
  $("title").textContent = figure.dataset.name;
  for (const said of all("[data-fact]", view)) {
    const text = figure.dataset[said.dataset.fact];
    said.textContent = text === undefined ? "" : text + (said.dataset.unit || "");
    said.hidden = said.previousElementSibling.hidden = text === undefined;
  }
  const row = series(), place = row.indexOf(figure);
  $("place").textContent = place < 0 ? "" : place + 1 + " of " + row.length;
  $("link").setAttribute("href", link(figure).getAttribute("href"));
  if (!view.open) view.showModal();
  if (document.activeElement === $("previous")) stage.focus(); // where the dialog put it
  frame(width, height);
}

const series = () => (current && current.matches(".tile") ? tiles : shown);

function open(figure) {
  history.pushState(null, "", link(figure).getAttribute("href"));
  pushed = true;
  show(figure);
}

function step(by) {
  const row = series();
  if (!row.length) return;
  const place = row.indexOf(current);
  const next = row[place < 0 ? 0 : (place + by + row.length) % row.length];
  history.replaceState(null, "", link(next).getAttribute("href"));
  show(next);
}

function named() { // the picture that the address names
  let name = "";
  try { name = decodeURIComponent(location.hash.slice(1)); } catch { /* no name of a picture */ }
  return { name, figure: [...cards, ...tiles].find((one) => one.id === name) };
}

function follow() {
  const { name, figure } = named();
  if (figure) show(figure);
  else if (view.open) view.close();
  if (!figure && /^(instance|tile)\//.test(name) && $("count"))
    $("count").textContent = "The address names " + name + ", which is not among the pictures of this page.";
}

function closed() {
  pointers.clear();
  if (named().figure) {
    if (pushed) history.back();
    else history.replaceState(null, "", location.pathname + location.search);
  }
  pushed = false;
  if (current && current.isConnected) {
    if (shown.includes(current)) go(current);
    else link(current).focus();
  }
}

// Masks and boxes on and off, here and there

function layer(name, on) {
  document.body.classList.toggle("no-" + name, !on);
  if ($(name)) $(name).checked = on;
  $("show-" + name).setAttribute("aria-pressed", on);
}

const flip = (name) => layer(name, document.body.classList.contains("no-" + name));

function highlight(button) {
  const figure = button.closest(".tile") || current, kind = button.dataset.kind;
  const on = button.getAttribute("aria-pressed") !== "true", places = figure === current ? [figure, view] : [figure];
  for (const place of places) {
    for (const other of all(".legend", place)) other.setAttribute("aria-pressed", on && other.dataset.kind === kind);
    for (const group of all(".kind", place)) group.classList.toggle("dim", on && group.dataset.kind !== kind);
  }
}

function wide() {
  for (const box of all(".frame > .scroll")) box.parentNode.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
}

document.addEventListener("click", (event) => {
  const plain = !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
  const pic = event.target.closest(".pic"), chosen = event.target.closest("[data-only]");
  const legend = event.target.closest(".legend");
  if (pic && plain) {
    event.preventDefault();
    open(pic.closest("figure"));
  } else if (chosen && tools) only(chosen);
  else if (legend) highlight(legend);
});
if (tools) {
  tools.addEventListener("input", arrange);
  tools.addEventListener("reset", () => setTimeout(() => { arrange(); layer("mask", true); layer("box", true); }));
  tools.addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["mask", "box"]) $(name).addEventListener("change", () => layer(name, $(name).checked));
  if (matchMedia("(max-width: 44rem)").matches) document.querySelector(".tools").open = false;
}
for (const name of ["mask", "box"]) $("show-" + name).addEventListener("click", () => flip(name));
$("further").addEventListener("click", () => {
  const first = shown[standing];
  put(standing + 2 * PART);
  go(first);
});
$("next").addEventListener("click", () => step(1));
$("previous").addEventListener("click", () => step(-1));
$("larger").addEventListener("click", () => zoom(1.5));
$("smaller").addEventListener("click", () => zoom(1 / 1.5));
$("fit").addEventListener("click", () => look(whole));
$("close").addEventListener("click", () => view.close());
view.addEventListener("close", closed);
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 480), at(event));
}, { passive: false });
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event);
});
stage.addEventListener("pointermove", moved);
for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => pointers.delete(event.pointerId));
addEventListener("popstate", follow);
addEventListener("resize", () => { wide(); if (view.open) frame(...size()); });
const size = () => current.querySelector(".pic svg").getAttribute("viewBox").split(" ").slice(2).map(Number);
document.addEventListener("keydown", (event) => {
  if (event.target.matches("select, input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const does = { m: () => flip("mask"), b: () => flip("box") };
  if (view.open) {
    Object.assign(does, {
      ArrowRight: () => step(1), ArrowLeft: () => step(-1), "0": () => look(whole),
      "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5),
    });
  }
  const done = does[event.key] ? (does[event.key](), true) : !view.open && walk(event);
  if (done) event.preventDefault();
});
document.body.classList.add("live");
wide();
arrange();
follow();
})();
