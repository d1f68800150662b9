// A review: the wall, one mask large, and keys for all of it. A verdict is on the disk before the
// next mask is shown: every change waits for the server's answer.

import { change, get, numbers, Refusal, send } from "/api.js";
import { Stage } from "/stage.js";
import { Wall } from "/wall.js";

const $ = (id) => document.getElementById(id);
const WORDS = {
  quality: "quality", predicted_iou: "predicted IoU", stability_score: "stability",
  box_iou: "box IoU", obb_iou: "rotated-box IoU", outside: "outside the box",
  disagreement: "disagreement", size: "size", stored: "stored order", sample: "sample’s order",
};
const STATES = {
  "": "any", open: "not yet judged", judged: "judged or mended", accept: "accepted",
  reject: "rejected", absent: "no such object", mended: "mended", reclassed: "of another class",
};
const SAID = { accept: "Accepted", reject: "Rejected", absent: "No such object" };
const SIGNS = { accept: "✓", reject: "✗", absent: "∅" };
const CLICKED = 1, DRAWN = 2, RECLASSED = 4, POLL = 3000, NEAR = 200;
const GONE = "The review is not running: nothing more is kept until it is started again.";
const FILTERS = ["sort", "category", "state", "split", "recipe", "scene", "q0", "q1", "s0", "s1"];

let about, quality, category, marks = new Map(), stamp = "", build = "";
let at = -1, shown = null, negative = false, busy = false, otherMode = "none";
let changes = 0, turn = 0; // own changes so far; and masks that were asked for
let fresh = null; // an object that is being added: its points, box and mask

// ---------- the wall

const wall = new Wall($("wall"), $("cards"), {
  picture: (n) => `/picture/${n}/${$("shapes").checked ? 1 : 0}/${build}${mended(n)}`,
  dress(card, n) {
    const [verdict, changed] = marks.get(n) || [0, 0];
    const name = about.categories[category[n]], value = quality[n];
    const said = verdict ? about.verdicts[verdict - 1] : "";
    const mended = changed & (CLICKED | DRAWN);
    card.className = `card ${said}${mended ? " mended" : ""}`;
    card.mark.textContent = (SIGNS[said] || "") + (mended ? "✎" : "") + (changed & RECLASSED ? "≠" : "");
    card.what.textContent = name;
    card.score.textContent = Number.isNaN(value) ? "–" : value.toFixed(2);
    card.button.setAttribute("aria-label",
      `${name}, quality ${card.score.textContent}${said ? ", " + SAID[said].toLowerCase() : ""}${mended ? ", mended" : ""}: open`);
  },
  open: (place) => open(wall.order[place]),
  failed: (address) => numbers(address).catch(toast), // for the server's sentence
  near(place) {
    clearTimeout(nearing);
    nearing = setTimeout(() => ahead([place]), NEAR);
  },
});

function mended(n) { // what of a picture's address tells a mended mask
  const digest = (marks.get(n) || [0, 0, ""])[2];
  return digest ? "-" + digest : "";
}

let nearing;
function ahead(places) { // their tiles are made ready for clicks, while nobody waits for pictures
  const known = places.filter((place) => place >= 0 && place < wall.order.length);
  if (about.clicks && known.length) get("/api/ahead?masks=" + known.map((place) => wall.order[place])).catch(() => {});
}

async function arrange(keep = false) {
  const asked = new URLSearchParams();
  for (const id of FILTERS) if ($(id).value) asked.set(id, $(id).value);
  if ($("down").checked) asked.set("down", "1");
  try {
    wall.show(new Uint32Array(await numbers("/api/order?" + asked)));
  } catch (error) { return toast(error); }
  const found = wall.order.length, reach = wall.reach;
  $("nothing").hidden = found > 0;
  $("count").textContent = found === about.count ? `${plain(found)} masks` : `${plain(found)} of ${plain(about.count)} masks`;
  if (reach < found) $("count").textContent += `, the first ${plain(reach)} shown: filter for the others`;
  if (!keep) remember();
  return undefined;
}

function plain(number) { return number.toLocaleString("en-GB"); }

function remember() {
  const told = new URLSearchParams();
  for (const id of FILTERS) if ($(id).value && !(id === "sort" && $(id).value === first("sort"))) told.set(id, $(id).value);
  if ($("down").checked) told.set("down", "1");
  if (shown) told.set("mask", shown.number);
  history.replaceState(null, "", told.size ? "#" + told : location.pathname);
}

function first(id) { return $(id).options[0].value; }

function recall() {
  const told = new URLSearchParams(location.hash.slice(1));
  for (const id of FILTERS) if (told.has(id)) $(id).value = told.get(id);
  $("down").checked = told.get("down") === "1";
  return told.has("mask") ? Number(told.get("mask")) : -1;
}

async function refreshMarks() {
  const from = changes, told = await get("/api/marks?known=" + stamp);
  if (!told.marks || from !== changes) return false; // what this window changed meanwhile is not in it
  const before = shown && String(marks.get(shown.number));
  stamp = told.stamp;
  marks = new Map(told.marks.map(([n, ...rest]) => [n, rest]));
  wall.refreshAll();
  progress();
  if (shown && before !== String(marks.get(shown.number)) && !busy) await reload(shown.number);
  return true;
}

// The stamp stays: what another window changed before is asked for the next time.
function setMark([n, ...rest]) {
  if (rest[0] || rest[1]) marks.set(n, rest); else marks.delete(n);
  changes += 1;
  progress();
  for (const card of wall.cards.values())
    if (wall.order[Number(card.dataset.place)] === n) { wall.refresh(card); wall.load(card); }
}

function progress() {
  let judged = 0;
  const among = about.sample ? new Set(about.sample) : null;
  for (const [n, [verdict, changed]] of marks)
    if ((verdict || changed & (CLICKED | DRAWN)) && (!among || among.has(n))) judged += 1;
  $("progress").textContent = about.sample
    ? `${plain(judged)} of the sample’s ${plain(about.sample.length)} judged`
    : `${plain(judged)} of ${plain(about.count)} judged`;
}

// ---------- one mask

const stage = new Stage({
  point: (xy, against) => (fresh ? freshPoint : click)(xy, against === negative),
  box: (box) => (fresh ? propose(fresh.positive, fresh.negative, box) : ask(shown.state.positive, shown.state.negative, box)),
  neighbour: (n) => open(n),
});

async function open(n) {
  if (busy) return;
  const mine = ++turn;
  let mask, from;
  try {
    do { from = changes; mask = await get("/api/mask/" + n); } while (from !== changes); // changed meanwhile
  } catch (error) { toast(error); return; }
  if (mine !== turn) return; // another was asked for since, or the view was left
  leaveFresh();
  at = wall.order[wall.at] === n ? wall.at : wall.order.indexOf(n);
  shown = mask;
  if (!$("view").open) $("view").showModal();
  stage.show(mask, build);
  dress();
  setMode(otherMode);
  if ($("show-others").ariaPressed === "true") neighbours();
  remember();
  $("stage").focus();
  for (const near of [at + 1, at + 2]) // their pictures are made meanwhile
    if (at >= 0 && near < wall.order.length) new Image().src = `/large/${wall.order[near]}/${build}`;
  if (at >= 0) ahead([at + 1, at + 2]);
}

function dress() {
  const state = shown.state, where = at < 0 ? "" : ` · ${plain(at + 1)} of ${plain(wall.order.length)}`;
  $("title").textContent = `${shown.category}${where}`;
  $("said").className = state.stale ? "stale" : state.verdict;
  const made = state.made_by === "machine" ? "" : `mask ${state.made_by}${state.taken_back ? ", taken back: the machine’s comes with the next release" : ""}`;
  $("said").textContent = [state.stale ? "Judged of another mask or box: judge again" : SAID[state.verdict], state.reason, made].filter(Boolean).join(" · ");
  $("class").value = shown.category;
  $("restore").disabled = state.made_by === "machine" || state.taken_back || state.added;
  showAdded();
  const asked = fresh || state, box = fresh ? fresh.box : state.asked_box;
  stage.points(asked.positive, asked.negative);
  stage.asked(box && String(box) !== String(shown.hbb) ? box : null);
  $("legend").querySelector(".machine-key").hidden = !shown.machine;
  $("legend").querySelector(".obb-key").hidden = !shown.obb;
  rows();
}

function cells(kind, values) {
  return values.map((value) => {
    const cell = document.createElement(kind);
    cell.textContent = value;
    return cell;
  });
}

function rows() {
  const other = shown.beside, values = new Map(other ? other.scores : []);
  const head = document.createElement("tr");
  head.append(...cells("th", ["score", "this", ...(other ? [other.recipe] : [])]));
  for (const cell of head.children) cell.scope = "col";
  $("scores-head").replaceChildren(head);
  $("scores-body").replaceChildren(...shown.scores.map(([name, value]) => {
    const row = document.createElement("tr"), told = values.get(name);
    const [name_] = cells("th", [WORDS[name] || name]);
    name_.scope = "row";
    row.append(name_, ...cells("td", [value.toFixed(3), ...(other ? [told === undefined ? "–" : told.toFixed(3)] : [])]));
    return row;
  }));
  const facts = [...shown.facts, ["split", shown.split], ["scene", shown.scene], ["tile", shown.tile_id],
    ["instance", shown.instance_id], ["annotation", shown.source]];
  if (other) facts.unshift([`IoU with ${other.recipe}`, other.iou.toFixed(3)]);
  if (shown.released_category !== shown.category) facts.unshift(["released as", shown.released_category]);
  $("facts").replaceChildren(...facts.flatMap(([name, value]) => [...cells("dt", [name]), ...cells("dd", [value])]));
  if (shown.siblings.length) {
    const [term] = cells("dt", ["also in"]), said = document.createElement("dd");
    for (const n of shown.siblings) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "another tile";
      button.addEventListener("click", () => open(n));
      said.append(button);
    }
    $("facts").append(term, said);
  }
}

async function reload(n) {
  const mask = await get("/api/mask/" + n), view = { ...stage.view };
  if (!shown || shown.number !== n) return; // it is shown no more
  shown = mask;
  stage.show(shown, build);
  stage.look(view);
  dress();
  setMode(otherMode);
}

// what a person does; true once it is on the disk
async function does(what) {
  if (busy || !shown) return false;
  const mask = shown; // the view may be left before the answer is there
  busy = true;
  $("stage").classList.add("busy");
  try {
    const told = await change({ number: mask.number, seen: mask.state.seen, ...what });
    const machine = mask.machine || mask.mask;
    mask.state = told.state;
    mask.mask = told.mask;
    mask.machine = told.state.made_by === "machine" ? "" : machine;
    mask.added = told.added;
    if (shown === mask) stage.outline(mask.mask, mask.machine);
    setMark(told.mark);
    toast(told.warning);
    if (shown && shown !== mask) await reload(shown.number); // it may have been asked for before
    return true;
  } catch (error) {
    toast(error);
    if (error instanceof Refusal && error.status === 409) { await reload(mask.number); await refreshMarks(); }
    return false;
  } finally {
    busy = false;
    $("stage").classList.remove("busy");
    if (shown) dress();
  }
}

async function judge(verdict) {
  if (!(await does({ do: "judge", verdict, reason: $("reason").value }))) return;
  $("reason").value = "";
  if (shown) step(1);
}

function step(by) {
  const place = at + by;
  if (place < 0 || place >= wall.order.length) return hint(by > 0 ? "That was the last one." : "That is the first one.");
  wall.mark(place);
  at = place;
  return open(wall.order[place]);
}

function click(xy, positive) {
  if (!about.clicks) return toast("Nobody answers clicks for this release: redraw the mask (r).");
  const rounded = xy.map((v) => Math.round(v * 10) / 10), state = shown.state;
  const box = state.asked_box || (state.positive.length || state.negative.length ? null : shown.hbb);
  return ask(positive ? [...state.positive, rounded] : state.positive, positive ? state.negative : [...state.negative, rounded], box);
}

async function ask(positive, negative_, box) {
  if (!about.clicks) return toast("Nobody answers clicks for this release: redraw the mask (r).");
  stage.points(positive, negative_);
  const from = performance.now();
  if (await does({ do: "click", positive, negative: negative_, box }))
    hint(`mask in ${Math.round(performance.now() - from)} ms`);
  return undefined;
}

function redraw() {
  const on = !stage.drawing;
  leaveFresh();
  if (on) stage.startDrawing(); else stage.stopDrawing();
  $("redraw").ariaPressed = String(on);
  hint(on ? "Click the corners; Enter ends, Backspace takes one back, r leaves." : "");
}

async function drawn() {
  const corners = stage.stopDrawing();
  $("redraw").ariaPressed = "false";
  hint("");
  if (corners.length > 2) await does({ do: "draw", polygons: [corners] });
}

// ---------- an object that nobody had annotated

function startFresh() {
  if (fresh) return leaveFresh();
  if (stage.drawing) redraw();
  fresh = { positive: [], negative: [], box: null, mask: "" };
  stage.boxing = true;
  stage.points([], []);
  stage.asked(null);
  $("fresh-form").hidden = false;
  press("fresh", true);
  return hint("Click on the object, or draw a box around it.");
}

function leaveFresh() {
  if (!fresh) return;
  fresh = null;
  stage.boxing = false;
  stage.fresh("");
  $("fresh-form").hidden = true;
  press("fresh", false);
  hint("");
  if (shown) dress();
}

function freshPoint(xy, positive) {
  const rounded = xy.map((v) => Math.round(v * 10) / 10);
  return propose(positive ? [...fresh.positive, rounded] : fresh.positive, positive ? fresh.negative : [...fresh.negative, rounded], fresh.box);
}

async function propose(positive, negative_, box) {
  if (busy || !shown) return;
  const n = shown.number, mine = fresh;
  busy = true;
  $("stage").classList.add("busy");
  try {
    const { mask } = await send("/api/propose", { number: n, positive, negative: negative_, box });
    if (fresh !== mine) return; // it was left meanwhile
    fresh = { positive, negative: negative_, box, mask };
    stage.fresh(mask);
    toast("");
    $("fresh-form").scrollIntoView({ block: "nearest" });
    hint($("fresh-class").value ? "Enter adds it; more clicks mend it." : "Choose its class; more clicks mend it.");
  } catch (error) { toast(error); } finally {
    busy = false;
    $("stage").classList.remove("busy");
    if (fresh) { stage.points(fresh.positive, fresh.negative); stage.asked(fresh.box); }
  }
}

async function keepFresh() {
  if (!fresh.mask) return hint("Click on the object, or draw a box around it.");
  const category = $("fresh-class").value;
  if (!category) { $("fresh-class").focus(); return hint("Choose its class."); }
  const { positive, negative: negative_, box } = fresh;
  if (!(await does({ do: "add", category, positive, negative: negative_, box }))) return undefined;
  leaveFresh();
  $("stage").focus();
  return hint(`Added: ${category}. u takes it back.`);
}

function showAdded() {
  stage.added(shown.added);
  $("legend").querySelector(".added-key").hidden = !shown.added.length;
  $("added-list").replaceChildren(...shown.added.map((one, place) => {
    const line = document.createElement("li"), said = document.createElement("span"), button = document.createElement("button");
    said.textContent = `Added: ${one.category}`;
    button.type = "button";
    button.textContent = "Remove";
    button.setAttribute("aria-label", `Remove the added ${one.category}`);
    button.addEventListener("click", () => does({ do: "remove", seen: one.seen }));
    const outline = $("added").children[place];
    line.append(said, button);
    for (const [event, on] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]])
      line.addEventListener(event, () => outline.classList.toggle("pointed", on)); // which it is
    return line;
  }));
}

async function undo() {
  if (busy) return;
  busy = true;
  try {
    const told = await change({ do: "undo" });
    if (told.number === null) { hint("Nothing to undo in this window."); return; }
    setMark(told.mark);
    toast(told.warning);
    busy = false;
    if ($("view").open) {
      if (shown.number === told.number) await reload(told.number); else await open(told.number);
      hint("Undone.");
    }
  } catch (error) { toast(error); await refreshMarks(); } finally { busy = false; }
}

async function neighbours() {
  stage.neighbours(await get("/api/neighbours/" + shown.number));
}

function press(id, on = $(id).ariaPressed !== "true") {
  $(id).ariaPressed = String(on);
  return on;
}

function setMode(mode) {
  otherMode = shown && shown.beside ? mode : "none";
  $("stage").classList.toggle("other-too", otherMode === "too");
  $("stage").classList.toggle("other-alone", otherMode === "alone");
  press("show-other", otherMode !== "none");
}

const VIEW = {
  accept: () => judge("accept"), reject: () => judge("reject"), absent: () => judge("absent"),
  undo, next: () => step(1), previous: () => step(-1), close: () => $("view").close(),
  redraw, restore: () => does({ do: "restore" }), fresh: startFresh, "fresh-leave": leaveFresh,
  sign() {
    negative = press("sign");
    $("sign").textContent = negative ? "Clicks: beside the object" : "Clicks: on the object";
  },
  "show-mask": () => $("stage").classList.toggle("no-mask", !press("show-mask")),
  "show-box": () => $("stage").classList.toggle("no-box", !press("show-box")),
  "show-other": () => setMode({ none: "too", too: "alone", alone: "none" }[otherMode]),
  "show-others": () => (press("show-others") ? neighbours() : stage.neighbours([])),
  "show-tile": () => stage.tile(), fit: () => stage.fit(),
  larger: () => stage.zoom(1.4), smaller: () => stage.zoom(1 / 1.4),
};
const KEYS = {
  a: "accept", x: "reject", d: "absent", u: "undo", n: "next", ArrowRight: "next", p: "previous",
  ArrowLeft: "previous", r: "redraw", y: "restore", i: "fresh", s: "sign", m: "show-mask", b: "show-box",
  o: "show-other", k: "show-others", t: "show-tile", 0: "fit", "+": "larger", "=": "larger", "-": "smaller",
};

for (const [id, work] of Object.entries(VIEW)) $(id).addEventListener("click", () => work());
$("class").addEventListener("change", async () => {
  const wanted = $("class").value;
  if (await does({ do: "reclass", category: wanted })) { shown.category = wanted; dress(); }
  $("stage").focus();
});
$("fresh-form").addEventListener("submit", (event) => { event.preventDefault(); keepFresh(); });
$("fresh-class").addEventListener("change", () => $("stage").focus());
$("view").addEventListener("close", () => {
  turn += 1;
  if (stage.drawing) redraw();
  leaveFresh();
  shown = null;
  remember();
  hint("");
  if (at >= 0) wall.go(at);
});
$("reason").addEventListener("keydown", (event) => { if (event.key === "Enter") $("stage").focus(); });

async function judgeOnWall(verdict) { // without opening it
  const n = wall.order[wall.at];
  if (n === undefined || busy) return;
  busy = true;
  try {
    const { state, mark } = await get("/api/state/" + n);
    if (String(mark.slice(1)) !== String(marks.get(n) || [0, 0, ""])) { // the wall shows something else
      toast("This mask was changed elsewhere: look at it and decide again.");
      setMark(mark);
      return;
    }
    const told = await change({ do: "judge", number: n, seen: state.seen, verdict, reason: "" });
    setMark(told.mark);
    toast(told.warning);
    wall.go(wall.at + 1);
  } catch (error) { toast(error); await refreshMarks(); } finally { busy = false; }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "z" && !event.altKey && !event.target.matches("input")) { event.preventDefault(); undo(); }
    return;
  }
  if (event.target.matches("input:not([type=checkbox]), select")) {
    if (event.key === "Escape" && $("view").open) { event.preventDefault(); $("stage").focus(); } // out of the field alone
    return;
  }
  if (event.key === "?") { $("help").showModal(); return; }
  if ($("help").open || $("estimates").open) return;
  const does_ = $("view").open ? keyOnView(event) : keyOnWall(event);
  if (does_) event.preventDefault();
});

function keyOnView(event) {
  if (fresh) {
    if (event.key === "Enter" && !event.target.matches("button")) { keepFresh(); return true; }
    if (event.key === "Escape") { leaveFresh(); return true; }
  }
  if (stage.drawing) {
    if (event.key === "Enter") { drawn(); return true; }
    if (event.key === "Backspace") { stage.lastCorner(); return true; }
    if (event.key === "Escape") { redraw(); return true; }
  }
  if (event.key === "e") { $("reason").focus(); return true; }
  if (event.key === "c") { $("class").focus(); return true; }
  const id = KEYS[event.key];
  if (!id || $(id).disabled || $(id).hidden) return false;
  VIEW[id]();
  return true;
}

function keyOnWall(event) {
  const verdict = { a: "accept", x: "reject", d: "absent" }[event.key];
  if (verdict) { judgeOnWall(verdict); return true; }
  if (event.key === "u") { undo(); return true; }
  if (event.key === "m") { $("shapes").click(); return true; }
  if (event.target.closest("#filters")) return false;
  if (event.key === "Enter" && !event.target.closest("button")) { open(wall.order[wall.at]); return true; }
  return wall.key(event);
}

// ---------- what else is on the page

let toasting;
function toast(said) { // an error, a sentence, or nothing any more
  if (said instanceof TypeError && /fetch/i.test(said.message)) { away = true; said = GONE; }
  $("toast").textContent = said instanceof Error ? said.message : said;
  clearTimeout(toasting);
  if (said) toasting = setTimeout(() => { $("toast").textContent = ""; }, 12000);
}

function hint(said) { $("hint").textContent = said; }

function choose(id, options) {
  $(id).replaceChildren(...options.map(([value, word]) => new Option(word, value)));
}

for (const [button, dialog] of [["help-open", "help"], ["help-view", "help"]])
  $(button).addEventListener("click", () => $(dialog).showModal());
$("help-close").addEventListener("click", () => $("help").close());
$("estimates-close").addEventListener("click", () => $("estimates").close());
$("undo-wall").addEventListener("click", undo);
$("estimate").addEventListener("click", async () => {
  const found = await get("/api/estimates");
  const told = (e) => (e ? `${e.value.toFixed(3)}${e.low === null ? "" : `, 95 % interval ${e.low.toFixed(3)} to ${e.high.toFixed(3)}`}` : "not known yet: a class and quality range has no judged mask");
  const facts = [["judged", `${found.judged} of ${found.sampled}, out of ${plain(found.masks)} masks`],
    ["good, mended, rejected", `${found.good}, ${found.mended}, ${found.rejected}`],
    ["share of good masks", told(found.share_good)], ["mean IoU to mended ones", told(found.mean_iou)]];
  $("estimates-said").replaceChildren(...facts.flatMap(([a, b]) => [...cells("dt", [a]), ...cells("dd", [b])]));
  $("estimates").showModal();
});

let typing;
for (const id of FILTERS)
  $(id).addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(arrange, $(id).matches("input") ? 250 : 0); });
$("down").addEventListener("input", () => arrange());
$("shapes").addEventListener("input", () => wall.refreshAll());
$("reset").addEventListener("click", () => setTimeout(() => { $("sort").value = first("sort"); arrange(); }));
document.querySelector(".fields").addEventListener("submit", (event) => event.preventDefault());

async function poll() {
  if (!document.hidden && !busy) try { await refreshMarks(); toastGone(); } catch (error) { lost(error); }
  setTimeout(poll, POLL);
}

let away = false;
function lost(error) {
  if (error instanceof Refusal) return toast(error);
  away = true;
  return toast(GONE);
}
function toastGone() { if (away) { away = false; toast(""); } }

async function begin() {
  about = await get("/api/release");
  const columns = await numbers("/api/wall");
  quality = new Float32Array(columns, 0, about.count);
  category = new Uint16Array(columns, 4 * about.count, about.count);
  build = about.build;
  $("name").textContent = about.name;
  document.title = `Review: ${about.name}`;
  $("name").title = `${about.note} Terms: ${about.terms}`;
  const sorts = about.sample ? ["sample", ...about.sorts] : about.sorts;
  choose("sort", sorts.map((name) => [name, WORDS[name] || name]));
  const counted = about.categories.map((name, i) => [name, about.counts[i]]).filter(([, n]) => n);
  choose("category", [["", "any"], ...counted.map(([name, n]) => [name, `${name} (${plain(n)})`])]);
  choose("class", about.categories.map((name) => [name, name]));
  choose("fresh-class", [["", "choose"], ...about.categories.map((name) => [name, name])]);
  $("fresh").hidden = !about.clicks;
  choose("state", Object.entries(STATES));
  for (const id of ["split", "recipe"]) choose(id, [["", "any"], ...about[id + "s"].map((name) => [name, name])]);
  $("show-other").hidden = $("other-legend").hidden = about.beside === null;
  $("estimate").hidden = !about.sample;
  if (matchMedia("(max-width: 44rem)").matches) $("filters").open = false;
  if (about.beside !== null) otherMode = "too";
  const wanted = recall();
  await refreshMarks();
  progress();
  await arrange(true);
  if (wanted >= 0 && wanted < about.count) await open(wanted);
  else wall.go(0);
  setTimeout(poll, POLL);
}

begin().catch(lost);
