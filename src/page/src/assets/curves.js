// The curves of all trainings in one plot: PSNR, loss or learning rate over iterations.
// Unaware of what was trained.
"use strict";

(() => {
  const root = page.by("curves");
  const canvas = page.el("canvas", { class: "plot", role: "img", "aria-label": "curves of the trainings" });
  const head = page.el("div", { class: "bar" });
  const legend = page.el("div", { class: "legend" });
  const said = page.el("p", { class: "status", "aria-live": "polite" });
  root.append(head, canvas, legend, said);
  const KINDS = [["psnr", "PSNR of the validation (dB)"], ["loss", "loss"], ["lr", "learning rate"]];
  const COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777"];
  const hidden = new Set();
  let scale = null;

  const kind = () => (KINDS.some(([k]) => k === page.view.curve) ? page.view.curve : "psnr");
  const draw = () => {
    const log = page.view.log === "1";
    const shown = page.data.curves.map((c, i) => ({ ...c, i, points: c[kind()].filter(([, y]) => !log || y > 0) })).filter((c) => !hidden.has(c.name) && c.points.length);
    const [context, width, height] = page.fit(canvas, 320);
    context.clearRect(0, 0, width, height);
    context.fillStyle = page.color("faint");
    context.font = "12px system-ui, sans-serif";
    scale = null;
    if (!shown.length) return context.fillText("nothing to show", 8, 20);
    const all = shown.flatMap((c) => c.points);
    const of = (y) => (log ? Math.log10(y) : y);
    const fold = (pick, f) => all.reduce((sum, p) => f(sum, pick(p)), pick(all[0]));
    const x1 = Math.max(1, fold((p) => p[0], Math.max));
    let [y0, y1] = [fold((p) => of(p[1]), Math.min), fold((p) => of(p[1]), Math.max)];
    if (y0 === y1) [y0, y1] = [y0 - 0.5, y1 + 0.5];
    const [left, top, right, bottom] = [70, 10, width - 12, height - 30];
    const place = ([x, y]) => [left + (x / x1) * (right - left), bottom - ((of(y) - y0) / (y1 - y0)) * (bottom - top)];
    scale = { place, shown };
    context.strokeStyle = page.color("line");
    const text = (y) => { const v = log ? 10 ** y : y; return Math.abs(v) >= 1 ? page.number(v, 2) : v.toPrecision(2); };
    for (let n = 0; n <= 4; n++) {
      const y = y0 + ((y1 - y0) * n) / 4;
      const at = bottom - ((bottom - top) * n) / 4;
      context.beginPath(); context.moveTo(left, at); context.lineTo(right, at); context.stroke();
      context.textAlign = "right"; context.fillText(text(y), left - 6, at + 4);
      context.textAlign = n === 4 ? "right" : "center";
      context.fillText(page.count(Math.round((x1 * n) / 4)), left + ((right - left) * n) / 4, bottom + 16);
    }
    for (const c of shown) {
      context.strokeStyle = COLORS[c.i % COLORS.length];
      context.lineWidth = 1.6;
      context.setLineDash([[], [7, 4], [2, 3]][Math.floor(c.i / COLORS.length) % 3]);
      context.beginPath();
      c.points.forEach((p, n) => context[n ? "lineTo" : "moveTo"](...place(p)));
      context.stroke();
    }
    context.setLineDash([]);
  };
  canvas.addEventListener("pointermove", (event) => {
    if (!scale) return;
    const rect = canvas.getBoundingClientRect();
    const [mx, my] = [event.clientX - rect.left, event.clientY - rect.top];
    let best = null;
    for (const c of scale.shown) for (const p of c.points) {
      const [x, y] = scale.place(p);
      const far = Math.hypot(x - mx, (y - my) / 3);
      if (!best || far < best.far) best = { far, c, p };
    }
    if (best) said.textContent = `${best.c.name}: ${page.number(best.p[1], kind() === "lr" ? 6 : 4)} at iteration ${page.count(best.p[0])}`;
  });

  const show = () => {
    root.hidden = !page.data.curves.length;
    if (root.hidden) return;
    head.replaceChildren(
      page.select("show", KINDS, kind(), (v) => page.set({ curve: v === "psnr" ? null : v })),
      page.el("label", { class: "field" }, page.el("input", { type: "checkbox", checked: page.view.log === "1", change: (e) => page.set({ log: e.target.checked ? 1 : null }) }), " logarithmic"));
    legend.replaceChildren(...page.data.curves.map((c, i) => {
      const check = page.el("input", { type: "checkbox", checked: !hidden.has(c.name), change: () => { if (check.checked) hidden.delete(c.name); else hidden.add(c.name); draw(); } });
      return page.el("label", {}, check, page.el("i", { style: `background:${COLORS[i % COLORS.length]}` }), c.name);
    }));
    draw();
  };
  page.watchers.push((changes) => { if (["curve", "log", "theme"].some((k) => k in changes)) show(); });
  page.started.push(show);
  addEventListener("resize", () => root.hidden || draw());
})();
