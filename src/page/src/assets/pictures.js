// Pictures of an image as pixels: read from img/, made larger by MATLAB's bicubic, subtracted, compared.
// Unaware of how they are shown.
//
// A page that is opened as a file may show other files and not read their pixels. Each picture is therefore a script that
// hands over the bytes of its PNG, loaded when it is first wanted.
"use strict";

(() => {
  const wanted = new Map(); // file -> resolve, reject
  const scripts = new Map(); // file -> promise of what it handed over

  const load = (file) => {
    if (!scripts.has(file)) {
      scripts.set(file, new Promise((resolve, reject) => {
        wanted.set(file, resolve);
        // What it handed over is kept elsewhere, or not at all: its text is megabytes.
        const ended = (why) => () => {
          script.remove();
          if (wanted.delete(file)) reject(new Error(`img/${file}.js ${why}`));
        };
        const own = page.files[`img/${file}.js`];
        const from = own ? {} : { src: `img/${file}.js`, load: ended("is damaged"), error: ended("is missing") };
        const script = page.el("script", from, own);
        document.head.append(script);
        if (own) ended("is damaged")();
      }).finally(() => setTimeout(() => scripts.delete(file), 0)));
    }
    return scripts.get(file);
  };
  const given = (file, what) => { wanted.get(file)?.(what); wanted.delete(file); };
  page.picture = given;
  page.masks = given;

  // {width, height, canvas, data}: data are RGBA samples, row by row, read when they are first wanted.
  const ofCanvas = (canvas) => {
    const { width, height } = canvas;
    let data = null;
    return { width, height, canvas, get data() { return (data ??= canvas.getContext("2d").getImageData(0, 0, width, height).data); } };
  };
  const blank = (width, height) => Object.assign(document.createElement("canvas"), { width, height });

  const decoded = async (file) => {
    const answer = await fetch(`data:image/png;base64,${await load(file)}`);
    const bitmap = await createImageBitmap(await answer.blob(), { colorSpaceConversion: "none" });
    const canvas = blank(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    return ofCanvas(canvas);
  };

  page.ofPixels = (width, height, fill) => {
    const canvas = blank(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const image = context.createImageData(width, height);
    fill(image.data);
    context.putImageData(image, 0, 0);
    return { width, height, canvas, data: image.data };
  };

  // MATLAB's imresize(…, 'bicubic') to a whole multiple: Keys' kernel of a = −0.5, borders mirrored, each pass rounded to 8 bits.
  const kernel = (x) => {
    const a = Math.abs(x);
    if (a <= 1) return 1.5 * a ** 3 - 2.5 * a ** 2 + 1;
    return a < 2 ? -0.5 * a ** 3 + 2.5 * a ** 2 - 4 * a + 2 : 0;
  };
  const taps = (length, scale) => Array.from({ length: length * scale }, (_, at) => {
    const u = (at + 0.5) / scale - 0.5;
    const first = Math.floor(u) - 1;
    return [0, 1, 2, 3].map((k) => {
      const from = first + k;
      return [Math.max(0, Math.min(length - 1, from < 0 ? -from - 1 : from >= length ? 2 * length - 1 - from : from)), kernel(u - from)];
    });
  });
  const bicubic = ({ width, height, data }, scale) => {
    const [across, down] = [taps(width, scale), taps(height, scale)];
    const [w, h] = [width * scale, height * scale];
    const rows = new Uint8ClampedArray(width * h * 3);
    for (let y = 0; y < h; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) {
      let sum = 0;
      for (const [from, weight] of down[y]) sum += weight * data[(from * width + x) * 4 + c];
      rows[(y * width + x) * 3 + c] = Math.floor(sum + 0.5);
    }
    return page.ofPixels(w, h, (out) => {
      for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) {
        const at = (y * w + x) * 4;
        for (let c = 0; c < 3; c++) {
          let sum = 0;
          for (const [from, weight] of across[x]) sum += weight * rows[(y * width + from) * 3 + c];
          out[at + c] = Math.floor(sum + 0.5);
        }
        out[at + 3] = 255;
      }
    });
  };

  // The pictures that an image of a set has, in the order of the keys 1 to 9: [{id, name, psnr}].
  page.choices = (set, at) => {
    const pics = set.pics[at];
    if (!pics) return [];
    const of = (other) => set.methods.filter((m) => at in m.files && Boolean(m.other) === other).map((m) => ({ id: m.name, name: m.name, file: m.files[at], psnr: m.values.psnr?.[at] }));
    return [
      { id: "LQ", name: "LQ", file: pics.lq },
      ...(set.noise || !pics.lq ? [] : [{ id: "bicubic", name: "bicubic" }]),
      ...of(false),
      { id: "GT", name: "GT", file: pics.gt },
      ...of(true),
    ].filter((choice) => choice.file || choice.id === "bicubic");
  };

  let kept = new Map(); // of the image that is shown and the one before
  let order = [];
  const cached = (image, name, make) => {
    if (!order.includes(image)) {
      order = [...order, image].slice(-2);
      kept = new Map([...kept].filter(([key]) => order.some((i) => key.startsWith(i + "\n"))));
    }
    const key = `${image}\n${name}`;
    if (!kept.has(key)) {
      const entry = { done: null, promise: null };
      entry.promise = make().then((picture) => (entry.done = picture));
      entry.promise.catch(() => kept.delete(key));
      kept.set(key, entry);
    }
    return kept.get(key);
  };
  const entry = (set, at, id) => cached(`${set.name}\n${at}`, `picture ${id}`, async () => {
    const choice = page.choices(set, at).find((c) => c.id === id);
    if (!choice) throw new Error(`no picture ${id}`);
    if (choice.id !== "bicubic") return decoded(choice.file);
    return bicubic(await entry(set, at, "LQ").promise, set.scale);
  });
  // The picture now, or null while it is on its way.
  page.ready = (set, at, id) => entry(set, at, id).done;
  page.pixels = (set, at, id) => entry(set, at, id).promise;

  // |A − GT| − |B − GT| over R, G and B: blue where B is nearer to GT, red where A is. `gain` multiplies it.
  page.gainMap = (a, b, gt, gain) => page.ofPixels(gt.width, gt.height, (out) => {
    for (let i = 0; i < out.length; i += 4) {
      let sum = 0;
      for (let c = 0; c < 3; c++) sum += Math.abs(a.data[i + c] - gt.data[i + c]) - Math.abs(b.data[i + c] - gt.data[i + c]);
      const value = Math.max(-1, Math.min(1, (sum / 3 / 255) * gain));
      const [r, g, blue] = value >= 0 ? [0, 90, 181] : [200, 40, 30];
      const m = Math.abs(value);
      out[i] = 247 + (r - 247) * m; out[i + 1] = 247 + (g - 247) * m; out[i + 2] = 247 + (blue - 247) * m; out[i + 3] = 255;
    }
  });
  // |A − B| × gain.
  page.difference = (a, b, gain) => page.ofPixels(a.width, a.height, (out) => {
    for (let i = 0; i < out.length; i++) out[i] = i % 4 === 3 ? 255 : Math.abs(a.data[i] - b.data[i]) * gain;
  });

  // PSNR in dB over R, G and B of a box; null for equal pixels.
  page.psnrOf = (a, gt, [x, y, w, h]) => {
    let sum = 0;
    for (let row = y; row < y + h; row++) for (let i = (row * gt.width + x) * 4, end = i + w * 4; i < end; i++) {
      if (i % 4 !== 3) sum += (a.data[i] - gt.data[i]) ** 2;
    }
    return sum === 0 ? null : 10 * Math.log10(255 ** 2 / (sum / (w * h * 3)));
  };

  // Masks of an image: which is on top where (smallest on top), areas, colours, outlines.
  page.maskMap = (set, at, list) => cached(`${set.name}\n${at}`, `masks ${list.stage}`, async () => {
    const { width, height, masks, iou } = await load(list.files[at]);
    const areas = masks.map((counts) => counts.reduce((sum, n, i) => sum + (i % 2 ? n : 0), 0));
    const labels = new Int16Array(width * height).fill(-1);
    const largest = areas.map((_, i) => i).sort((a, b) => areas[b] - areas[a]);
    for (const mask of largest) {
      let start = 0;
      masks[mask].forEach((n, i) => {
        if (i % 2) for (let p = start; p < start + n; p++) labels[(p % height) * width + Math.floor(p / height)] = mask;
        start += n;
      });
    }
    return { width, height, areas, labels, iou };
  }).promise;
  page.maskOverlay = ({ width, height, labels }, opacity) => page.ofPixels(width, height, (out) => {
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const label = labels[i];
      const edge = (x + 1 < width && labels[i + 1] !== label) || (y + 1 < height && labels[i + width] !== label);
      if (label < 0 && !edge) continue;
      const hue = (label * 137.5) % 360;
      const part = (n) => { const k = (n + hue / 30) % 12; return 0.62 - 0.34 * Math.max(-1, Math.min(k - 3, 9 - k, 1)); };
      const rgb = edge ? [1, 1, 1] : [part(0), part(8), part(4)];
      rgb.forEach((v, c) => (out[i * 4 + c] = v * 255));
      out[i * 4 + 3] = 255 * (edge ? Math.min(1, opacity * 1.6) : opacity);
    }
  });
})();
