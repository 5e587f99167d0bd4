// Where it helps: the gain of each image as sorted bars, and over what may explain it.
// Unaware of pixels.
"use strict";

(() => {
  const known = new Map();

  // The two methods that are compared in numbers, and the images by gain, most gained first.
  page.gains = (set) => {
    const baseline = set.methods.find((m) => m.name === page.view.a && m.values.psnr) ?? set.methods.find((m) => m.baseline) ?? set.methods[0];
    const tuned = set.methods.find((m) => m.name === page.view.b && m !== baseline) ?? set.methods.find((m) => m !== baseline && m.masks) ?? set.methods.find((m) => m !== baseline && !m.baseline) ?? set.methods.find((m) => m !== baseline);
    const key = `${set.name}\n${baseline?.name}\n${tuned?.name}`;
    if (!known.has(key)) {
      const of = (m, i) => m?.values.psnr?.[i] ?? null;
      const gain = set.images.map((_, i) => {
        const [a, b] = [of(baseline, i), of(tuned, i)];
        return a == null || b == null ? null : b - a;
      });
      const order = gain.map((_, i) => i).sort((i, j) => (gain[j] ?? -Infinity) - (gain[i] ?? -Infinity) || i - j);
      known.set(key, { baseline, tuned, gain, order });
    }
    return known.get(key);
  };

  const root = page.by("gains");
  const bars = page.el("canvas", { class: "bars", role: "img", "aria-label": "gain of each image, sorted", tabindex: 0 });
  const dots = page.el("canvas", { class: "dots", role: "img", "aria-label": "gain over a property of the images" });
  const head = page.el("div", { class: "bar" });
  const said = page.el("p", { class: "status", "aria-live": "polite" });
  const marks = page.el("div", { class: "marks" });
  root.append(head, bars, marks, dots, said);

  const OVER = [["baseline", "baseline's PSNR (dB)"], ["found", "masks found"], ["detail", "high-frequency content of LQ"]];
  let set, points = [];

  const values = (over) => {
    const { baseline, tuned } = page.gains(set);
    if (over === "found") return set.masks.find((m) => m.stage === tuned?.masks)?.found ?? set.masks[0]?.found ?? [];
    if (over === "detail") return set.images.map((_, i) => set.pics[i]?.detail ?? null);
    return baseline?.values.psnr ?? [];
  };

  // The colour of an image by its gain. Asked of the page once for all: there may be thousands.
  const colors = () => {
    const [mark, gain, loss] = ["mark", "gain", "loss"].map(page.color);
    const current = set.images.indexOf(page.view.image);
    return (i, value) => (i === current ? mark : value < 0 ? loss : gain);
  };

  // Of a few images bars stay bars.
  const barWidth = (width, count) => Math.min(60, width / Math.max(1, count));

  const drawBars = () => {
    const { gain, order, baseline, tuned } = page.gains(set);
    const shown = order.filter((i) => gain[i] != null);
    const [context, width, height] = page.fit(bars, 170);
    context.clearRect(0, 0, width, height);
    if (!shown.length) return;
    const [above, under] = [Math.max(0, gain[shown[0]]), Math.max(0, -gain[shown.at(-1)])];
    const scale = (height - 12) / Math.max(above + under, 1e-9);
    const zero = 6 + above * scale;
    const each = barWidth(width, shown.length);
    const color = colors();
    shown.forEach((i, n) => {
      const tall = gain[i] * scale;
      context.fillStyle = color(i, gain[i]);
      context.fillRect(n * each, Math.min(zero, zero - tall), Math.max(0.5, each - (each > 3 ? 1 : 0)), Math.max(1, Math.abs(tall)));
    });
    context.fillStyle = page.color("line");
    context.fillRect(0, zero, width, 1);
    const better = shown.filter((i) => gain[i] > 0).length;
    const mean = shown.reduce((sum, i) => sum + gain[i], 0) / shown.length;
    said.textContent = `${tuned?.name} against ${baseline?.name}: better on ${better} of ${shown.length} images, ${page.signed(mean)} dB on average.`;
  };

  const drawDots = () => {
    const { gain } = page.gains(set);
    const over = OVER.some(([o]) => o === page.view.over) ? page.view.over : "baseline";
    const xs = values(over);
    const [context, width, height] = page.fit(dots, 260);
    context.clearRect(0, 0, width, height);
    points = gain.map((y, i) => ({ i, x: xs[i], y })).filter((p) => p.y != null && p.x != null);
    context.fillStyle = page.color("faint");
    context.font = "12px system-ui, sans-serif";
    if (!points.length) return context.fillText("not known for these images", 8, 20);
    const range = (of) => { const v = points.map(of); const [low, high] = [v.reduce((a, b) => Math.min(a, b)), v.reduce((a, b) => Math.max(a, b))]; return high > low ? [low, high] : [low - 1, high + 1]; };
    const [[x0, x1], [y0, y1]] = [range((p) => p.x), range((p) => p.y)];
    const [left, top, right, bottom] = [64, 10, width - 12, height - 34];
    const room = 8; // no dot lies on the frame
    const between = (from, to, share) => from + share * (to - from);
    const place = (p) => [between(left + room, right - room, (p.x - x0) / (x1 - x0)), between(bottom - room, top + room, (p.y - y0) / (y1 - y0))];
    context.strokeStyle = page.color("line");
    context.strokeRect(left, top, right - left, bottom - top);
    if (y0 < 0 && y1 > 0) { const [, zero] = place({ x: x0, y: 0 }); context.fillRect(left, zero, right - left, 1); }
    context.textAlign = "right";
    context.fillText(page.signed(y1, 3), left - 6, top + 8);
    context.fillText(page.signed(y0, 3), left - 6, bottom);
    context.textAlign = "left";
    const short = (v) => (Math.abs(v) >= 100 ? v.toFixed(0) : v.toPrecision(4));
    context.fillText(short(x0), left, bottom + 14);
    context.textAlign = "right";
    context.fillText(short(x1), right, bottom + 14);
    context.textAlign = "center";
    context.fillText(OVER.find(([o]) => o === over)[1], (left + right) / 2, bottom + 28);
    context.save();
    context.translate(14, (top + bottom) / 2);
    context.rotate(-Math.PI / 2);
    context.fillText("gain (dB)", 0, 0);
    context.restore();
    const color = colors();
    for (const p of points) {
      [p.left, p.top] = place(p);
      context.fillStyle = color(p.i, p.y);
      context.beginPath();
      context.arc(p.left, p.top, points.length > 500 ? 2 : 4, 0, 7);
      context.fill();
    }
  };

  const name = (i) => `${set.images[i]}: ${page.signed(page.gains(set).gain[i])} dB${i in set.pics ? "" : " (no pictures were kept)"}`;
  const open = (i) => { page.compare.open(set, i); said.textContent = name(i); };
  const barAt = (event) => {
    const { gain, order } = page.gains(set);
    const shown = order.filter((i) => gain[i] != null);
    const rect = bars.getBoundingClientRect();
    return shown[Math.max(0, Math.min(shown.length - 1, Math.floor((event.clientX - rect.left) / barWidth(rect.width, shown.length))))];
  };
  const dotAt = (event) => {
    const rect = dots.getBoundingClientRect();
    const far = (p) => Math.hypot(p.left - event.clientX + rect.left, p.top - event.clientY + rect.top);
    const near = points.reduce((best, p) => (best == null || far(p) < far(best) ? p : best), null);
    return near && far(near) < 14 ? near.i : null;
  };
  const listen = (canvas, find) => {
    canvas.addEventListener("pointermove", (event) => { const i = find(event); if (i != null) said.textContent = name(i); });
    canvas.addEventListener("click", (event) => { const i = find(event); if (i != null) open(i); });
  };
  listen(bars, barAt);
  listen(dots, dotAt);

  const show = () => {
    set = page.currentSet();
    const { gain, order, baseline, tuned } = set ? page.gains(set) : {};
    root.hidden = !set || !tuned || !set.methods.some((m) => m.values.psnr);
    if (root.hidden) return;
    const scored = set.methods.filter((m) => m.values.psnr).map((m) => [m.name, m.name]);
    head.replaceChildren(
      page.select("gain of", scored, tuned.name, (v) => page.set({ b: v })),
      page.select("against", scored, baseline.name, (v) => page.set({ a: v })),
      page.select("over", OVER, page.view.over ?? "baseline", (v) => page.set({ over: v })));
    const shown = order.filter((i) => gain[i] != null);
    const named = [["most gained", shown.slice(0, 3).filter((i) => gain[i] > 0)], ["typical", shown.length > 6 ? [shown[shown.length >> 1]] : []], ["most lost", shown.slice(-3).reverse().filter((i) => gain[i] < 0)]];
    marks.replaceChildren(...named.filter(([, of]) => of.length).map(([what, of]) =>
      page.el("span", {}, `${what}: `, ...of.map((i) => page.el("button", { type: "button", class: "link", click: () => open(i) }, `${set.images[i]} ${page.signed(gain[i], 3)}`)))));
    drawBars();
    drawDots();
  };
  page.watchers.push((changes) => { if (["set", "image", "a", "b", "over", "theme"].some((k) => k in changes)) show(); });
  page.started.push(show);
  addEventListener("resize", show);
})();
