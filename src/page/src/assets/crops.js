// The box that is drawn once, and its crop of every picture in a row with the PSNR of each, as figures of papers have it.
// Unaware of zoom.
"use strict";

(() => {
  const root = page.by("crops");
  const row = page.el("div", { class: "crops" });
  const note = page.el("p", { class: "note" });
  const tools = page.el("div", { class: "bar" });
  root.append(tools, row, note);

  // {image, x, y, w, h} in pixels of GT, or null.
  page.box = () => {
    const numbers = (page.view.box ?? "").split(",").map(Number);
    const [x, y, w, h] = numbers;
    if (numbers.length !== 4 || !numbers.every(Number.isInteger) || w < 1 || h < 1) return null;
    return { image: page.view.image, x, y, w, h };
  };
  // From one corner to the other, in whole LQ pixels, inside the image.
  page.setBox = (set, at, from, to) => {
    const { width, height } = set.pics[at];
    const s = set.scale;
    const whole = (v, end) => Math.max(0, Math.min(Math.floor(end / s) * s, Math.round(v / s) * s));
    const [x0, x1] = [whole(Math.min(from.x, to.x), width), whole(Math.max(from.x, to.x), width)];
    const [y0, y1] = [whole(Math.min(from.y, to.y), height), whole(Math.max(from.y, to.y), height)];
    if (x1 > x0 && y1 > y0) page.set({ set: set.name, image: set.images[at], box: [x0, y0, x1 - x0, y1 - y0].join(",") });
  };

  let drawn = 0, shown = [];
  const where = () => {
    const set = page.currentSet();
    const at = set ? set.images.indexOf(page.view.image) : -1;
    const box = page.box();
    const pics = set?.pics[at];
    if (!box || !pics || box.x + box.w > pics.width || box.y + box.h > pics.height) return null;
    return { set, at, box };
  };
  const show = async () => {
    const mine = ++drawn;
    const place = where();
    if (!place) {
      shown = [];
      row.replaceChildren();
      tools.hidden = true;
      note.textContent = page.data.sets.some((s) => Object.keys(s.pics).length) ? "Draw a box on the picture above (button box, or key c) to see it of all methods here." : "";
      return;
    }
    const { set, at, box } = place;
    const choices = page.choices(set, at);
    const all = await Promise.all(choices.map((c) => page.pixels(set, at, c.id))).catch(() => null);
    if (!all || mine !== drawn) return;
    const gt = all[choices.findIndex((c) => c.id === "GT")];
    shown = choices.map((choice, i) => {
      const picture = all[i];
      const scale = set.pics[at].width / picture.width;
      const same = gt && picture.width === gt.width && picture.height === gt.height && choice.id !== "GT";
      return { name: choice.name, picture, scale, psnr: same ? page.psnrOf(picture, gt, [box.x, box.y, box.w, box.h]) ?? Infinity : undefined };
    });
    const best = Math.max(...shown.map((s) => s.psnr ?? -Infinity)); // an equal crop is infinitely good
    const zoom = Math.max(1, Math.floor(220 / Math.max(box.w, box.h)));
    row.replaceChildren(...shown.map((s) => {
      const canvas = page.el("canvas", { role: "img", "aria-label": `${s.name}, crop` });
      [canvas.width, canvas.height] = [box.w * zoom, box.h * zoom];
      cut(canvas.getContext("2d"), s, box, 0, 0, zoom);
      const score = scored(s, (psnr) => `${page.number(psnr, 2)} dB`) ?? "";
      return page.el("figure", {}, canvas, page.el("figcaption", {}, s.name, page.el("br"), page.el(s.psnr === best ? "strong" : "span", {}, score)));
    }));
    tools.hidden = false;
    tools.replaceChildren(
      page.button("PNG", "the row as a picture", () => png(box)),
      page.button("LaTeX", "a figure that includes the picture", (e) => page.copy(latex(set, box), e.currentTarget)),
      gt ? page.button("YAML", "a `figure` stage with this crop", (e) => page.copy(yaml(set, box), e.currentTarget)) : "",
      page.button("link", "the address of this view", (e) => page.copy(location.href, e.currentTarget)),
      page.button("no box", "take the box away", () => page.set({ box: null })));
    note.textContent = `${box.w}×${box.h} at ${box.x}, ${box.y} of ${box.image}${gt ? "; PSNR over R, G and B of the crop" : ""}.`;
  };
  // The PSNR of a crop as text; nothing where there is none, as for LQ.
  const scored = ({ psnr }, text) => (psnr === undefined ? undefined : psnr === Infinity ? "equal" : text(psnr));
  const cut = (context, { picture, scale }, box, left, top, zoom) => {
    context.imageSmoothingEnabled = false;
    context.drawImage(picture.canvas, box.x / scale, box.y / scale, box.w / scale, box.h / scale, left, top, box.w * zoom, box.h * zoom);
  };

  const fileName = (box) => `crop-${box.image.replace(/[^\w.-]+/g, "_")}-${box.x}-${box.y}`;
  const png = (box) => {
    // A canvas has a widest side, 16,384 in the browsers of today.
    const most = (16000 / shown.length - 8) / box.w;
    const zoom = Math.min(most, Math.max(1, Math.floor(400 / Math.max(box.w, box.h))));
    const [w, h, gap, text] = [box.w * zoom, box.h * zoom, 8, 44];
    const canvas = page.el("canvas");
    [canvas.width, canvas.height] = [shown.length * (w + gap) - gap, h + text];
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = "#000";
    context.font = "15px sans-serif";
    context.textAlign = "center";
    shown.forEach((s, i) => {
      cut(context, s, box, i * (w + gap), 0, zoom);
      context.fillText(s.name, i * (w + gap) + w / 2, h + 18, w);
      const score = scored(s, (psnr) => `${page.number(psnr, 2)} dB`);
      if (score) context.fillText(score, i * (w + gap) + w / 2, h + 38, w);
    });
    canvas.toBlob((blob) => page.save(`${fileName(box)}.png`, blob), "image/png");
  };

  const tex = (text) => text.replace(/[\\{}$&#%_~^]/g, (c) => ({ "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" })[c] ?? `\\${c}`);
  const latex = (set, box) => {
    const scores = shown.filter((s) => s.psnr !== undefined).map((s) => `${tex(s.name)} ${scored(s, (psnr) => `${psnr.toFixed(2)}\\,dB`)}`);
    return `\\begin{figure}\n  \\centering\n  \\includegraphics[width=\\linewidth]{${fileName(box)}.png}\n` +
      `  \\caption{${tex(box.image)} (${tex(set.name)}), ${box.w}$\\times$${box.h} at ${box.x}, ${box.y}.${scores.length ? ` PSNR of the crop: ${scores.join(", ")}.` : ""}}\n` +
      `  \\label{fig:${fileName(box)}}\n\\end{figure}\n`;
  };
  const yaml = (set, box) => {
    const kept = set.methods.filter((m) => !m.other && Object.keys(m.files).length);
    const baseline = kept.find((m) => m.baseline) ?? kept[0];
    const tuned = kept.find((m) => m.name === page.view.b) ?? kept.find((m) => m !== baseline) ?? baseline;
    const text = JSON.stringify;
    return `  crop:\n    figure:\n      baseline: ${text(baseline?.stage ?? "")}\n      tuned: ${text(tuned?.stage ?? "")}\n      crops:\n` +
      `        - {image: ${text(box.image)}, x: ${box.x}, y: ${box.y}, width: ${box.w}, height: ${box.h}}\n`;
  };

  page.watchers.push((changes) => { if (["box", "image", "set", "theme", "b"].some((k) => k in changes)) show(); });
  page.started.push(show);
})();
