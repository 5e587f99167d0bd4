// Comparing pictures of one image: under a slider, flipped in place, side by side, as gain or difference.
// Unaware of tables. Pan and zoom are one for all panes; at whole-number zoom a pixel is a square.
"use strict";

page.compare = (() => {
  const MODES = [["slider", "slider"], ["flip", "flip (1–9, ← →)"], ["all", "side by side"], ["gain", "gain map"], ["difference", "difference"]];
  const STEPS = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32];
  const root = page.by("compare");
  const body = page.el("div", { class: "viewer" });
  const panes = page.el("div", { class: "panes", tabindex: 0, role: "img", "aria-label": "pictures of the image" });
  const bar = page.el("div", { class: "bar" });
  const list = page.el("div", { class: "images", role: "listbox", "aria-label": "images" });
  const status = page.el("p", { class: "status", "aria-live": "polite" });
  let set, at, choices, view, masks, drawn = 0, mapsOf = "", maps = {}, barOf = "";

  const pick = (id, fallback) => (choices.some((c) => c.id === id) ? id : fallback);
  const size = () => { const p = set.pics[at]; return [p.width, p.height]; };
  const names = () => {
    const isOwn = (id) => !set.methods.find((m) => m.name === id)?.other;
    const own = choices.filter((c) => !["LQ", "bicubic", "GT"].includes(c.id) && isOwn(c.id)).map((c) => c.id);
    const baseline = set.methods.find((m) => m.baseline && own.includes(m.name))?.name;
    const a = pick(page.view.a, baseline ?? (choices.some((c) => c.id === "bicubic") ? "bicubic" : "LQ"));
    const masked = (id) => (set.methods.find((m) => m.name === id)?.masks ? 0 : 1);
    const rest = own.filter((id) => id !== a).sort((p, q) => masked(p) - masked(q));
    return { a, b: pick(page.view.b, rest[0] ?? pick("GT", choices.at(-1).id)), show: pick(page.view.show, rest[0] ?? a) };
  };
  // Without GT there is no gain.
  const modes = () => MODES.filter(([m]) => m !== "gain" || choices?.some((c) => c.id === "GT"));
  const mode = () => (modes().some(([m]) => m === page.view.mode) ? page.view.mode : "slider");

  // Which image: by its name in the address, else the one that gained most of those with pictures.
  const choose = () => {
    set = page.currentSet();
    if (!set) return false;
    const shown = Object.keys(set.pics).map(Number);
    const named = set.images.indexOf(page.view.image);
    const order = page.gains(set).order;
    at = named >= 0 ? named : (order.find((i) => i in set.pics) ?? shown[0] ?? 0);
    choices = page.choices(set, at);
    masks = set.masks.filter((m) => at in m.files);
    return true;
  };

  // Zoom in the screen's own pixels per pixel of GT, and the point of GT in the middle.
  const start = () => {
    const [w, h] = size();
    const number = (name) => (Number.isFinite(Number(page.view[name])) && page.view[name] ? Number(page.view[name]) : null);
    view = { z: number("z"), x: number("x") ?? w / 2, y: number("y") ?? h / 2 };
  };
  const fitting = (canvas) => {
    const [w, h] = size();
    const z = Math.min(canvas.width / w, canvas.height / h);
    return z >= 1 ? Math.floor(z) : z;
  };
  const zoomOf = (canvas) => Math.max(1 / 64, Math.min(64, view.z ?? fitting(canvas)));
  const origin = (canvas) => {
    const z = zoomOf(canvas);
    return [Math.round(canvas.width / 2 - view.x * z), Math.round(canvas.height / 2 - view.y * z)];
  };
  const paint = (context, picture) => {
    const { canvas } = context;
    const z = zoomOf(canvas);
    const [x, y] = origin(canvas);
    const [w, h] = size();
    context.imageSmoothingEnabled = z < 1;
    context.imageSmoothingQuality = "high";
    context.drawImage(picture.canvas, x, y, w * z, h * z);
  };
  const outline = (context) => {
    const box = page.box();
    if (!box || box.image !== set.images[at]) return;
    const z = zoomOf(context.canvas);
    const [x, y] = origin(context.canvas);
    const ratio = devicePixelRatio || 1;
    for (const [color, width] of [["#000", 3], ["#ffd400", 1.5]]) {
      context.strokeStyle = color;
      context.lineWidth = width * ratio;
      context.strokeRect(x + box.x * z, y + box.y * z, box.w * z, box.h * z);
    }
  };

  // As many as have room beside each other: where there are more, GT is the last.
  const few = () => {
    const gt = choices.findIndex((c) => c.id === "GT");
    return gt < 9 ? choices.slice(0, 9) : [...choices.slice(0, 8), choices[gt]];
  };

  const get = (id) => page.ready(set, at, id);
  const made = (name, make) => {
    const key = `${set.name}\n${at}`;
    if (mapsOf !== key) [mapsOf, maps] = [key, {}];
    return (maps[name] ??= make());
  };

  // What each pane shows: [title, pictures that must be there, draw].
  const layout = () => {
    const { a, b, show } = names();
    const whole = (id) => (context) => paint(context, get(id));
    const k = Number(page.view.k) || 8;
    switch (mode()) {
      case "flip": return [[show, [show], whole(show)]];
      case "all": return few().map((c) => [c.name, [c.id], whole(c.id)]);
      case "gain": return [[`|${a} − GT| − |${b} − GT|, × ${k}: blue where ${b} is nearer to GT`, [a, b, "GT"],
        (context) => paint(context, made(`gain ${a} ${b} ${k}`, () => page.gainMap(get(a), get(b), get("GT"), k)))]];
      case "difference": return [[`|${a} − ${b}| × ${k}`, [a, b],
        (context) => paint(context, made(`difference ${a} ${b} ${k}`, () => page.difference(get(a), get(b), k)))]];
      default: return [[`${a} | ${b}`, [a, b], (context) => {
        const { width, height } = context.canvas;
        const split = Math.round(width * divider());
        paint(context, get(a));
        context.save();
        context.beginPath();
        context.rect(split, 0, width, height);
        context.clip();
        context.fillStyle = page.color("sunken");
        context.fillRect(split, 0, width, height);
        paint(context, get(b));
        context.restore();
        const ratio = devicePixelRatio || 1;
        context.fillStyle = "#fff";
        context.fillRect(split - ratio, 0, 2 * ratio, height);
        context.beginPath();
        context.arc(split, height / 2, 11 * ratio, 0, 7);
        context.fill();
        context.fillStyle = "#222";
        context.font = `${13 * ratio}px sans-serif`;
        context.textAlign = "center";
        context.textBaseline = "middle";
        context.fillText("↔", split, height / 2);
      }]];
    }
  };
  const divider = () => Math.max(0, Math.min(1, page.view.s ? Number(page.view.s) : 0.5)) || 0;

  // Panes are made once for a layout; what they show is drawn when all of it is there, with no frame between.
  let shape = "";
  const draw = async () => {
    const mine = ++drawn;
    const wanted = layout();
    const needed = [...new Set(wanted.flatMap(([, ids]) => ids))];
    try {
      if (needed.some((id) => !get(id))) await Promise.all(needed.map((id) => page.pixels(set, at, id)));
    } catch (error) {
      status.textContent = String(error.message);
      return;
    }
    const overlay = await overlayNow();
    if (mine !== drawn) return;
    const now = `${wanted.length} ${panes.clientWidth} ${innerHeight} ${devicePixelRatio}`;
    if (shape !== now) {
      shape = now;
      panes.replaceChildren(...wanted.map(() => page.el("figure", {}, page.el("canvas"), page.el("figcaption"))));
      panes.classList.toggle("many", wanted.length > 1);
    }
    wanted.forEach(([title, , paintPane], i) => {
      const [canvas, caption] = panes.children[i].children;
      const ratio = devicePixelRatio || 1;
      const room = { width: (canvas.clientWidth || 300) * ratio, height: innerHeight * 0.68 * ratio };
      const tall = Math.max(180, (fitting(room) * size()[1]) / ratio);
      const [w, h] = [Math.round((canvas.clientWidth || 300) * ratio), Math.round(tall * ratio)];
      if (canvas.width !== w || canvas.height !== h) {
        [canvas.width, canvas.height] = [w, h];
        canvas.style.height = `${tall}px`;
      }
      const context = canvas.getContext("2d");
      context.fillStyle = page.color("sunken");
      context.fillRect(0, 0, w, h);
      paintPane(context);
      if (overlay) paint(context, overlay);
      outline(context);
      const psnr = wanted.length > 1 || mode() === "flip" ? choices.find((c) => c.id === title)?.psnr : null;
      caption.textContent = psnr == null ? title : `${title}  ${page.number(psnr)} dB`;
    });
    tell();
    // The others, so that keys find them ready.
    for (const choice of few()) page.pixels(set, at, choice.id).catch(() => {});
  };
  const overlayNow = async () => {
    const list = masks.find((m) => m.stage === page.view.masks);
    if (!list) return null;
    const opacity = Number(page.view.opacity) || 0.45;
    const map = await page.maskMap(set, at, list).catch(() => null);
    return map && made(`overlay ${list.stage} ${opacity}`, () => page.maskOverlay(map, opacity));
  };

  const tell = () => {
    const canvas = panes.querySelector("canvas");
    const { a, b } = names();
    const of = (id) => choices.find((c) => c.id === id)?.psnr;
    const gain = of(a) != null && of(b) != null ? `, ${page.signed(of(b) - of(a))} dB` : "";
    const score = (id) => (of(id) == null ? id : `${id} ${page.number(of(id))} dB`);
    const z = canvas ? zoomOf(canvas) : 1;
    const zoomed = `zoom ${z >= 1 ? z : z.toFixed(2)}:1`;
    status.textContent = [set.images[at], size().join("×"), zoomed, `A ${score(a)}, B ${score(b)}${gain}`].join(" · ");
  };

  const controls = () => {
    const pairs = choices.map((c, i) => [c.id, i < 9 ? `${i + 1}  ${c.name}` : c.name]);
    const { a, b, show } = names();
    const signature = JSON.stringify([set.name, at, mode(), a, b, show, boxing, page.view.k, page.view.masks, page.view.opacity]);
    if (signature === barOf) return;
    barOf = signature;
    const focused = bar.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
    bar.replaceChildren(...[
      page.data.sets.length > 1 && page.select("set", page.data.sets.map((s) => [s.name, s.name]), set.name, (v) => page.set({ set: v, image: null, z: null, x: null, y: null, box: null })),
      page.select("mode", modes(), mode(), (v) => page.set({ mode: v })),
      mode() === "flip" ? page.select("show", pairs, show, (v) => page.set({ show: v })) : null,
      ["slider", "gain", "difference"].includes(mode()) ? page.select("A", pairs, a, (v) => page.set({ a: v })) : null,
      ["slider", "gain", "difference"].includes(mode()) ? page.select("B", pairs, b, (v) => page.set({ b: v })) : null,
      ["gain", "difference"].includes(mode()) ? page.select("×", [1, 2, 4, 8, 16, 32].map((k) => [k, `× ${k}`]), page.view.k ?? 8, (v) => page.set({ k: v })) : null,
      masks.length ? page.select("masks", [["", "none"], ...masks.map((m) => [m.stage, m.stage])], masks.some((m) => m.stage === page.view.masks) ? page.view.masks : "", (v) => page.set({ masks: v })) : null,
      masks.length ? page.select("opacity", [0.25, 0.45, 0.7, 1].map((o) => [o, `${o * 100} %`]), page.view.opacity ?? 0.45, (v) => page.set({ opacity: v })) : null,
      page.button("−", "zoom out (−)", () => zoom(-1)), page.button("+", "zoom in (+)", () => zoom(1)),
      page.button("1:1", "a pixel of the image is one of the screen (0)", () => page.set({ z: 1 })),
      page.button("fit", "the whole image (f)", fit),
      page.button("box", "draw a box for the crops below: drag on the picture (c)", (e) => drawing(!boxing)),
    ].filter(Boolean));
    bar.lastChild.setAttribute("aria-pressed", String(boxing));
    if (focused) [...bar.querySelectorAll("select")].find((s) => s.getAttribute("aria-label") === focused)?.focus();
  };
  const fit = () => page.set({ z: null, x: null, y: null });

  let boxing = false;
  const drawing = (on) => { boxing = on; panes.classList.toggle("boxing", on); controls(); };

  // One step of zoom; whole numbers from 1 on, about the point (x, y) of GT.
  const zoom = (direction, about) => {
    const canvas = panes.querySelector("canvas");
    if (!canvas) return;
    const z = zoomOf(canvas);
    const up = STEPS.find((s) => s > z + 1e-6) ?? 64;
    const down = [...STEPS].reverse().find((s) => s < z - 1e-6) ?? z / 2;
    const next = direction > 0 ? (z < 0.5 ? z * 2 : up) : z <= 1 ? Math.max(z / 2, 1 / 64) : down;
    const [px, py] = about ?? [view.x, view.y];
    move(px + (view.x - px) * (z / next), py + (view.y - py) * (z / next), next);
  };
  const move = (x, y, z = view.z) => {
    const [w, h] = size();
    view = { z, x: Math.max(0, Math.min(w, x)), y: Math.max(0, Math.min(h, y)) };
    page.set({ x: view.x.toFixed(1), y: view.y.toFixed(1), z });
  };
  // A drag captures the pointer: its events are then of the panes, and it stays with the canvas where it began.
  const pointOf = (event, canvas = event.target.closest("figure")?.querySelector("canvas") ?? panes.querySelector("canvas")) => {
    const rect = canvas.getBoundingClientRect();
    const ratio = canvas.width / rect.width;
    const [ox, oy] = origin(canvas);
    const z = zoomOf(canvas);
    return { canvas, share: (event.clientX - rect.left) / rect.width, z: z / ratio,
      x: ((event.clientX - rect.left) * ratio - ox) / z, y: ((event.clientY - rect.top) * ratio - oy) / z };
  };

  let drag = null;
  const touches = new Map();
  panes.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("canvas") || !view || event.button !== 0) return;
    panes.setPointerCapture?.(event.pointerId);
    touches.set(event.pointerId, event);
    const p = pointOf(event);
    const near = Math.abs(p.share - divider()) * p.canvas.clientWidth < 24;
    drag = { what: boxing ? "box" : mode() === "slider" && near ? "slider" : "pan", from: p, x: event.clientX, y: event.clientY, view: { ...view } };
    panes.focus({ preventScroll: true });
    event.preventDefault();
  });
  panes.addEventListener("pointermove", (event) => {
    if (!view || !panes.querySelector("canvas")) return;
    if (!drag) return hover(event);
    if (touches.size === 2) {
      const other = [...touches.values()].find((t) => t.pointerId !== event.pointerId);
      const before = touches.get(event.pointerId);
      const far = (e) => Math.hypot(e.clientX - other.clientX, e.clientY - other.clientY);
      if (far(event) > far(before) * 1.3) zoom(1); else if (far(event) * 1.3 < far(before)) zoom(-1); else return;
      touches.set(event.pointerId, event);
      drag.what = "pinch";
      return;
    }
    const p = pointOf(event, drag.from.canvas);
    if (drag.what === "slider") page.set({ s: Math.max(0, Math.min(1, p.share)).toFixed(4) });
    if (drag.what === "pan") move(drag.view.x - (event.clientX - drag.x) / drag.from.z, drag.view.y - (event.clientY - drag.y) / drag.from.z, drag.view.z);
    if (drag.what === "box") page.setBox(set, at, drag.from, p);
  });
  const release = (event) => {
    touches.delete(event.pointerId);
    if (drag?.what === "box") drawing(false);
    drag = null;
  };
  panes.addEventListener("pointerup", release);
  panes.addEventListener("pointercancel", release);
  panes.addEventListener("wheel", (event) => {
    if (!view || !(event.ctrlKey || event.target.closest("canvas"))) return;
    event.preventDefault();
    if (event.deltaY === 0) return; // sideways
    const p = pointOf(event);
    zoom(event.deltaY < 0 ? 1 : -1, [p.x, p.y]);
  }, { passive: false });

  const hover = async (event) => {
    const list = masks?.find((m) => m.stage === page.view.masks);
    if (!list) return;
    const p = pointOf(event);
    const map = await page.maskMap(set, at, list).catch(() => null);
    const [x, y] = [Math.floor(p.x / size()[0] * (map?.width ?? 0)), Math.floor(p.y / size()[1] * (map?.height ?? 0))];
    if (!map || x < 0 || y < 0 || x >= map.width || y >= map.height) return tell();
    const label = map.labels[y * map.width + x];
    const share = (100 * map.areas[label]) / (map.width * map.height);
    status.textContent = label < 0 ? `no mask at ${x}, ${y}` : `mask ${label + 1} of ${map.areas.length}: ${page.count(map.areas[label])} pixels, ${share.toFixed(1)} % of LQ${map.iou?.[label] == null ? "" : `, predicted IoU ${map.iou[label].toFixed(3)}`}`;
  };

  // 1 to 9 and the arrows; not while something is typed.
  addEventListener("keydown", (event) => {
    if (!choices?.length || event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    const { show } = names();
    const shown = choices.findIndex((c) => c.id === show);
    const flip = (i) => page.set({ mode: "flip", show: choices[(i + choices.length) % choices.length].id });
    const step = (by) => { const order = page.gains(set).order.filter((i) => i in set.pics); open(set, order[(order.indexOf(at) + by + order.length) % order.length]); };
    const keys = { ArrowLeft: () => flip(shown - 1), ArrowRight: () => flip(shown + 1), n: () => step(1), p: () => step(-1), "+": () => zoom(1), "-": () => zoom(-1), 0: () => page.set({ z: 1 }), f: fit, c: () => drawing(!boxing), g: () => { const gt = choices.findIndex((c) => c.id === "GT"); if (gt >= 0) flip(gt); }, s: () => page.set({ mode: "slider" }) };
    const digit = Number(event.key);
    if (digit >= 1 && digit <= Math.min(9, choices.length)) flip(digit - 1);
    else if (event.key in keys) keys[event.key]();
    else return;
    event.preventDefault();
  });

  const open = (of, index) => page.set({ set: of.name, image: of.images[index], z: null, x: null, y: null });

  // Thumbnails of the images that have pictures, the most gained first.
  let listed = "";
  const thumbnails = () => {
    const { baseline, tuned } = page.gains(set);
    const now = [set.name, baseline?.name, tuned?.name].join("\n");
    if (listed !== now) {
      listed = now;
      const order = page.gains(set).order.filter((i) => i in set.pics);
      list.replaceChildren(...order.map((i) => {
        const { thumb } = set.pics[i];
        const gain = page.gains(set).gain[i];
        return page.el("button", { type: "button", role: "option", class: "thumb", "data-at": i, title: set.images[i], click: () => open(set, i) },
          thumb ? page.el("img", { src: page.files[`img/${thumb}`] ?? `img/${thumb}`, loading: "lazy", decoding: "async", alt: "" }) : null,
          page.el("span", {}, set.images[i]), gain == null ? null : page.el("span", { class: gain < 0 ? "loss" : "gain" }, page.signed(gain, 3)));
      }));
    }
    for (const thumb of list.children) thumb.setAttribute("aria-selected", String(Number(thumb.dataset.at) === at));
  };

  // An image may have none although others of its set have.
  const missing = page.el("p", { class: "note", hidden: true });
  const show = () => {
    const found = choose() && choices.length > 0;
    missing.hidden = found;
    for (const part of [bar, panes, status]) part.hidden = !found;
    if (set) thumbnails();
    if (!found) {
      view = null;
      drawn++;
      const what = list.children.length ? `No pictures of ${set.images[at]} were kept.` : "No pictures were kept.";
      missing.textContent = `${what} \`save: true\`, or \`save: 20\` for the first 20 images, in an \`evaluate\` stage keeps what is compared here.`;
      return;
    }
    start();
    controls();
    draw();
  };
  root.append(body);
  body.append(missing, bar, panes, status, list);
  page.watchers.push(show);
  addEventListener("resize", () => view && draw());
  page.started.push(show);
  return { open };
})();
