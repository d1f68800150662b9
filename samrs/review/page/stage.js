// One mask large: an SVG in px of its tile, moved and zoomed by its view box.

const NS = "http://www.w3.org/2000/svg";
const $ = (id) => document.getElementById(id);

export class Stage {
  // does: point(x, y, positive), box(x0, y0, x1, y1), corner(x, y), neighbour(number)
  constructor(does) {
    this.does = does;
    this.svg = $("stage");
    this.view = { x: 0, y: 0, w: 1, h: 1 };
    this.pointers = new Map();
    this.drawing = null;
    this.boxing = false; // whether a plain drag draws a box
    new ResizeObserver(() => this.framed && this.look(this.view)).observe(this.svg);
    this.svg.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [x, y] = this.place(event);
      this.zoom(Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 120) / 480), x, y);
    }, { passive: false });
    this.svg.addEventListener("contextmenu", (event) => event.preventDefault());
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.move(event));
    this.svg.addEventListener("pointerup", (event) => this.up(event));
    this.svg.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
  }

  show(mask, key) {
    const [width, height] = mask.size_wh, [x, y, w, h] = mask.part;
    this.size = [width, height];
    this.part = mask.part;
    this.set("whole", { x: 0, y: 0, width, height });
    this.set("large", { x, y, width: w, height: h, href: `/large/${mask.number}/${key}` });
    $("whole").removeAttribute("href");
    this.wholeAt = `/whole/${mask.number}/${key}`;
    $("hbb").setAttribute("d", mask.box);
    $("obb").setAttribute("d", mask.obb);
    this.outline(mask.mask, mask.machine);
    this.other(mask.beside ? mask.beside.mask : "");
    $("others").replaceChildren();
    this.asked(null);
    this.stopDrawing();
    this.fit();
  }

  set(id, values) {
    for (const [name, value] of Object.entries(values)) $(id).setAttribute(name, value);
  }

  outline(mask, machine) {
    $("mask").setAttribute("d", mask);
    $("mask-rim").setAttribute("d", mask);
    $("machine").setAttribute("d", machine || "");
  }

  other(path) {
    $("other").setAttribute("d", path);
    $("other-rim").setAttribute("d", path);
  }

  neighbours(found) {
    $("others").replaceChildren(...found.map((one) => {
      const path = document.createElementNS(NS, "path"), title = document.createElementNS(NS, "title");
      path.setAttribute("d", one.mask);
      path.setAttribute("class", "neighbour");
      path.dataset.number = one.number;
      title.textContent = one.category;
      path.append(title);
      return path;
    }));
  }

  // outlines of objects that people added
  added(found) {
    $("added").replaceChildren(...found.map((one) => {
      const path = document.createElementNS(NS, "path"), title = document.createElementNS(NS, "title");
      path.setAttribute("d", one.mask);
      title.textContent = `${one.category}, added`;
      path.append(title);
      return path;
    }));
  }

  fresh(path) { $("fresh-mask").setAttribute("d", path); }

  asked(box) {
    const [x0, y0, x1, y1] = box || [0, 0, 0, 0];
    this.set("asked", { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0) });
  }

  points(positive, negative) {
    this.dots = [...positive.map((p) => [p, "positive"]), ...negative.map((p) => [p, "negative"])];
    this.redot();
  }

  redot() {
    const corners = (this.drawing || []).map((p) => [p, "corner"]);
    $("points").replaceChildren(...[...(this.dots || []), ...corners].map(([[x, y], kind]) => {
      const dot = document.createElementNS(NS, "circle");
      this.setOn(dot, { cx: x, cy: y, r: (kind === "corner" ? 4 : 6) * this.scale, class: kind });
      return dot;
    }));
    const corner = this.drawing || [];
    $("drawing").setAttribute("d", corner.length ? "M" + corner.map((p) => p.join(" ")).join("L") + (corner.length > 2 ? "Z" : "") : "");
  }

  setOn(element, values) {
    for (const [name, value] of Object.entries(values)) element.setAttribute(name, value);
  }

  get scale() { // px of the tile in a px of the screen
    return this.view.w / Math.max(1, this.svg.clientWidth);
  }

  look(view) {
    const aspect = Math.max(1, this.svg.clientWidth) / Math.max(1, this.svg.clientHeight);
    const middle = [view.x + view.w / 2, view.y + view.h / 2];
    let { w, h } = view;
    if (w / h < aspect) w = h * aspect; else h = w / aspect;
    this.view = { x: middle[0] - w / 2, y: middle[1] - h / 2, w, h };
    this.framed = true;
    const v = this.view;
    this.svg.setAttribute("viewBox", `${v.x} ${v.y} ${v.w} ${v.h}`);
    const [px, py, pw, ph] = this.part;
    const within = v.x >= px && v.y >= py && v.x + v.w <= px + pw && v.y + v.h <= py + ph;
    if (!within && this.wholeAt) { $("whole").setAttribute("href", this.wholeAt); this.wholeAt = ""; }
    this.redot();
  }

  fit() {
    const [x, y, w, h] = this.part;
    this.look({ x, y, w, h });
  }

  tile() {
    this.look({ x: 0, y: 0, w: this.size[0], h: this.size[1] });
  }

  zoom(by, x = this.view.x + this.view.w / 2, y = this.view.y + this.view.h / 2) {
    const v = this.view, most = 2 * Math.max(...this.size);
    by = Math.min(Math.max(by, v.w / most / 2), v.w / 6);
    const w = v.w / by, h = v.h / by;
    const aspect = [(x - v.x) / v.w, (y - v.y) / v.h];
    this.look({ x: x - aspect[0] * w, y: y - aspect[1] * h, w, h });
  }

  place(event) {
    const box = this.svg.getBoundingClientRect(), v = this.view;
    return [v.x + ((event.clientX - box.left) / box.width) * v.w, v.y + ((event.clientY - box.top) / box.height) * v.h];
  }

  inside([x, y]) {
    return [Math.min(Math.max(x, 0), this.size[0]), Math.min(Math.max(y, 0), this.size[1])];
  }

  down(event) {
    this.svg.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, event);
    this.start = { event, view: { ...this.view }, at: this.place(event), moved: false, two: this.pointers.size > 1 };
    this.target = event.target;
  }

  move(event) {
    if (!this.pointers.has(event.pointerId) || !this.start) return;
    const before = this.pointers.get(event.pointerId);
    this.pointers.set(event.pointerId, event);
    if (this.pointers.size === 2) return this.pinch(event, before);
    if (this.start.two) return undefined;
    const dx = event.clientX - this.start.event.clientX, dy = event.clientY - this.start.event.clientY;
    if (Math.hypot(dx, dy) > 4) this.start.moved = true;
    if (!this.start.moved) return undefined;
    if (this.start.event.shiftKey || this.boxing) {
      const [a, b] = [this.inside(this.start.at), this.inside(this.place(event))];
      this.dragged = [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[0], b[0]), Math.max(a[1], b[1])];
      return this.asked(this.dragged);
    }
    const v = this.start.view;
    return this.look({ ...v, x: v.x - dx * this.scale, y: v.y - dy * this.scale });
  }

  pinch(event, before) {
    const other = [...this.pointers.values()].find((e) => e.pointerId !== event.pointerId);
    const far = (e) => Math.max(10, Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY));
    const [x, y] = this.place({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 });
    this.zoom(far(event) / far(before), x, y);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const start = this.start;
    if (!start || start.event.pointerId !== event.pointerId) return undefined;
    this.start = null;
    if (this.dragged) {
      const box = this.dragged;
      this.dragged = null;
      return this.does.box(box);
    }
    if (start.moved || start.two || event.button === 1) return undefined;
    const at = this.place(event);
    if (this.drawing) {
      this.drawing.push(this.inside(at));
      return this.redot();
    }
    const neighbour = !this.boxing && this.target.closest && this.target.closest(".neighbour");
    if (neighbour) return this.does.neighbour(Number(neighbour.dataset.number));
    if (at[0] < 0 || at[1] < 0 || at[0] > this.size[0] || at[1] > this.size[1]) return undefined;
    return this.does.point(at, event.button === 2 || event.altKey || event.ctrlKey);
  }

  startDrawing() { this.drawing = []; this.redot(); }

  stopDrawing() {
    const corners = this.drawing;
    this.drawing = null;
    this.redot();
    return corners;
  }

  lastCorner() { if (this.drawing) { this.drawing.pop(); this.redot(); } }
}
