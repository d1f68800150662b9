"use strict";
const $ = (id) => document.getElementById(id);
const wall = $("wall"), cards = [...wall.children], view = $("view"), big = $("big");
const keys = {
  worst: (a, b) => a.dataset.q - b.dataset.q,
  best: (a, b) => b.dataset.q - a.dataset.q,
  smallest: (a, b) => a.dataset.a - b.dataset.a,
  largest: (a, b) => b.dataset.a - a.dataset.a,
};
let shown = cards, at = 0, zoom = 1;

function arrange() {
  const label = $("label").value, most = Number($("most").value), split = $("split").value;
  shown = cards.filter((card) => {
    const fits = (!label || card.dataset.label === label) && (!split || card.dataset.split === split);
    return fits && card.dataset.q <= most;
  });
  shown.sort(keys[$("sort").value]);
  wall.replaceChildren(...shown);
  $("most-said").textContent = most.toFixed(2);
  $("count").textContent = shown.length + " shown";
  $("none").hidden = shown.length > 0;
}

function resize() {
  const side = Math.min(big.clientWidth, window.innerHeight * 0.62);
  big.firstElementChild.style.width = side * zoom + "px";
}

function open(number) {
  if (!shown.length) return;
  at = (number + shown.length) % shown.length;
  const card = shown[at], picture = card.querySelector(".pic").cloneNode(true);
  picture.setAttribute("tabindex", "-1");
  big.replaceChildren(picture);
  $("title").textContent = card.dataset.name + " (" + (at + 1) + " of " + shown.length + ")";
  const more = card.querySelector("dl").cloneNode(true);
  more.hidden = false;
  $("more").replaceChildren(more);
  if (!view.open) view.showModal();
  zoom = 1;
  resize();
}

function magnify(by) {
  const before = zoom, box = big.getBoundingClientRect();
  zoom = Math.min(12, Math.max(1, zoom * by));
  resize();
  const grown = zoom / before;
  big.scrollLeft = (big.scrollLeft + box.width / 2) * grown - box.width / 2;
  big.scrollTop = (big.scrollTop + box.height / 2) * grown - box.height / 2;
}

function flip(name) {
  $(name).checked = !$(name).checked;
  layers();
}

function layers() {
  document.body.classList.toggle("no-mask", !$("mask").checked);
  document.body.classList.toggle("no-box", !$("box").checked);
}

for (const id of ["label", "sort", "most", "split"]) $(id).addEventListener("input", arrange);
for (const id of ["mask", "box"]) $(id).addEventListener("change", layers);
for (const button of document.querySelectorAll("[data-only]"))
  button.addEventListener("click", () => {
    $("label").value = button.dataset.only;
    arrange();
    $("instances").scrollIntoView();
  });
wall.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (card) open(shown.indexOf(card));
});
$("next").addEventListener("click", () => open(at + 1));
$("previous").addEventListener("click", () => open(at - 1));
$("larger").addEventListener("click", () => magnify(1.5));
$("smaller").addEventListener("click", () => magnify(1 / 1.5));
$("close").addEventListener("click", () => view.close());
view.addEventListener("close", () => shown[at] && shown[at].querySelector(".pic").focus());
big.addEventListener("wheel", (event) => {
  event.preventDefault();
  magnify(event.deltaY < 0 ? 1.2 : 1 / 1.2);
}, { passive: false });
window.addEventListener("resize", () => view.open && resize());
document.addEventListener("keydown", (event) => {
  if (event.target.matches("select, input") || event.ctrlKey || event.metaKey || event.altKey) return;
  const does = { m: () => flip("mask"), b: () => flip("box") };
  if (view.open) {
    Object.assign(does, {
      ArrowRight: () => open(at + 1), ArrowLeft: () => open(at - 1),
      "+": () => magnify(1.5), "-": () => magnify(1 / 1.5),
    });
  }
  if (does[event.key]) {
    event.preventDefault();
    does[event.key]();
  }
});
document.body.classList.add("live");
arrange();
