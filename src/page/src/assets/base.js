// The data of the page, small helpers, and the view that the address holds.
// Unaware of what the sections show. Texts of others become text nodes and nothing else.
"use strict";

// The one global name: files of img/ call page.picture and page.masks.
const page = { data: JSON.parse(document.getElementById("data").textContent), started: [] };

// Files of img/, where the page is one file: scripts as their text, pictures as addresses.
page.files = JSON.parse(document.getElementById("files")?.textContent ?? "{}");

// An element: attributes by name, functions as listeners, children as text or nodes.
page.el = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
};

page.by = (id) => document.getElementById(id);

// A select with [value, text] pairs.
page.select = (label, pairs, value, changed) => {
  const options = pairs.map(([v, text]) => page.el("option", { value: v }, text));
  const select = page.el("select", { "aria-label": label, change: () => changed(select.value) }, ...options);
  select.value = value;
  return page.el("label", { class: "field" }, page.el("span", {}, label), select);
};

page.button = (text, title, clicked) => page.el("button", { type: "button", title, click: clicked }, text);

// A number with a real minus sign.
page.number = (value, decimals = 4) =>
  value == null || Number.isNaN(value) ? "–" : value.toFixed(decimals).replace("-", "−");

page.signed = (value, decimals = 4) => {
  if (value == null || Number.isNaN(value)) return "–";
  const text = Math.abs(value).toFixed(decimals);
  if (Number(text) === 0) return text;
  return (value < 0 ? "−" : "+") + text;
};

// Thousands parted.
page.count = (value) => {
  if (!Number.isInteger(value)) return value.toFixed(1);
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
};

// Words that a shell takes as one.
page.quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

// The command that makes stages again.
page.command = (stages) =>
  [page.data.command, ...stages.map(page.quoted), ...stages.flatMap((s) => ["--force", page.quoted(s)])].join(" ");

// The view: names and texts behind `#` in the address.
page.view = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
page.watchers = [];

// Changes the view and tells everybody; a value of null goes out of the address.
page.set = (changes) => {
  for (const [name, value] of Object.entries(changes)) {
    if (value == null || value === "") delete page.view[name];
    else page.view[name] = String(value);
  }
  page.write();
  for (const watcher of page.watchers) watcher(changes);
};

let writing = 0;
page.write = () => {
  clearTimeout(writing);
  writing = setTimeout(() => {
    const hash = "#" + new URLSearchParams(page.view);
    if (hash !== location.hash) history.replaceState(null, "", hash);
  }, 150);
};

addEventListener("hashchange", () => {
  const before = page.view;
  page.view = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  // What went out of the address has changed too.
  for (const watcher of page.watchers) watcher({ ...before, ...page.view });
});

// The set of images that is shown: the one of the address, else the first with pictures.
page.currentSet = () => {
  const { sets } = page.data;
  return sets.find((s) => s.name === page.view.set) ?? sets.find((s) => Object.keys(s.pics).length) ?? sets[0];
};

// A page of a run that goes on loads itself again, with its view; not while something is dragged.
if (page.data.going_on) {
  let held = 0;
  addEventListener("pointerdown", () => held++, true);
  for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (held = 0), true);
  setInterval(() => held || location.reload(), 20000);
}

// Copies a text and says so on the button.
page.copy = async (text, button) => {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page from a file may not use the clipboard everywhere: the old way.
    const area = page.el("textarea", { class: "away" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = before), 1200);
};

// Offers bytes or text as a file.
page.save = (name, content, type) => {
  const url = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  page.el("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
};

// Colours of the page as they are now, for canvases.
page.color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

// Sections are drawn again when the reader's system turns dark or light.
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page.watchers.forEach((w) => w({ theme: 1 })));

// A canvas as wide as it is shown, in the screen's own pixels; returns its context and size in CSS pixels.
page.fit = (canvas, height) => {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth || 300;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [context, width, height];
};
