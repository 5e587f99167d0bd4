// Uses the page as a person would, and puts what came of it into `facts`; browser.rs has what is before it.
const bytes = () => $(".panes canvas")?.toDataURL() ?? "";
const key = (name) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
const pointer = (type, x, y) => $(".panes canvas").dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, clientX: x, clientY: y }));
const drag = (x0, y0, x1, y1) => {
  pointer("pointerdown", x0, y0);
  pointer("pointermove", (x0 + x1) / 2, (y0 + y1) / 2);
  pointer("pointermove", x1, y1);
  pointer("pointerup", x1, y1);
};
const copied = [], saved = [];
page.copy = (text) => copied.push(text);
page.save = (name, content) => saved.push([name, content.type, content.size]);
const press = (where, names) => [...document.querySelectorAll(`${where} .bar button`)].filter((b) => names.includes(b.textContent)).forEach((b) => b.click());
const over = (canvas, x, y) => {
  const at = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: at.left + at.width * x, clientY: at.top + at.height * y }));
};

await wait("the first picture", () => $(".panes canvas") && $(".panes figcaption").textContent);
facts.first = $(".panes figcaption").textContent;

const rect = $(".panes canvas").getBoundingClientRect();
const [middle, high] = [rect.left + rect.width / 2, rect.top + rect.height / 2];
const before = bytes();
drag(middle, high, rect.left + rect.width * 0.9, high);
await wait("the slider", () => bytes() !== before);
facts.slider = Number(page.view.s);

facts.keys = [];
for (const name of ["1", "2", "3", "4", "ArrowRight", "ArrowLeft"]) {
  const shown = $(".panes figcaption").textContent;
  key(name);
  await wait(`key ${name}`, () => $(".panes figcaption").textContent !== shown);
  facts.keys.push($(".panes figcaption").textContent);
}
const unzoomed = bytes();
key("+");
await wait("zoom", () => bytes() !== unzoomed);
facts.zoom = Number(page.view.z);

const captions = { all: (text) => text === "LQ", gain: (text) => text.includes("nearer to GT"), difference: (text) => /^\|.*\| × 8$/.test(text), slider: (text) => text === facts.first };
for (const [mode, is] of Object.entries(captions)) {
  page.set({ mode });
  await wait(mode, () => is($(".panes figcaption").textContent) && document.querySelectorAll(".panes canvas").length === (mode === "all" ? 5 : 1));
}
const plain = bytes();
const masks = [...document.querySelectorAll("#compare select")].find((s) => s.getAttribute("aria-label") === "masks");
facts.masks = masks?.options.length;
if (masks) {
  page.set({ masks: masks.options[1].value });
  await wait("masks", () => bytes() !== plain);
  const told = $("#compare .status").textContent;
  over($(".panes canvas"), 0.5, 0.5);
  await wait("what mask it is", () => $("#compare .status").textContent !== told);
  facts.mask = $("#compare .status").textContent;
  page.set({ masks: null });
}

key("f");
key("c");
await wait("fit", () => !page.view.z);
const fitted = $(".panes canvas").getBoundingClientRect();
const at = (x, y) => [fitted.left + fitted.width * (0.5 + x), fitted.top + fitted.height * (0.5 + y)];
drag(...at(-0.1, -0.2), ...at(0.1, 0.2));
await wait("crops", () => document.querySelectorAll("#crops figure").length > 1);
facts.box = page.view.box;
// In another pane the box is drawn there.
page.set({ mode: "all" });
await wait("panes", () => document.querySelectorAll(".panes canvas").length === 5);
const third = document.querySelectorAll(".panes canvas")[2];
const side = third.getBoundingClientRect();
const inside = (x) => [side.left + side.width * x, side.top + side.height / 2 - 20 + 40 * x];
const on = (target, type, [x, y]) => target.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, clientX: x, clientY: y }));
// A captured pointer's events are of the panes, those of others of the canvas below it.
facts.boxes = [third, $(".panes")].map((target) => {
  page.set({ box: null });
  key("c");
  on(third, "pointerdown", inside(0.3));
  on(target, "pointermove", inside(0.6));
  on(target, "pointerup", inside(0.6));
  return page.view.box ?? null;
});
page.set({ mode: "slider", box: facts.box });
await wait("the slider again", () => $(".panes figcaption").textContent === facts.first);
facts.crops = [...document.querySelectorAll("#crops figcaption")].map((c) => c.textContent);

// A crop for a paper, for a pipeline file, and as the address of this view.
await new Promise((done) => setTimeout(done, 300));
press("#crops", ["PNG", "LaTeX", "YAML", "link"]);
await wait("the crops as PNG", () => saved.length);
facts.exports = { copied: copied.splice(0), saved };
press("#tables", ["Markdown", "LaTeX", "CSV"]);
facts.copied = copied.splice(0);

const table = $("#tables table");
const column = () => [...table.querySelectorAll("tbody tr")].map((row) => row.children[1].querySelector("button").textContent);
const heading = table.querySelectorAll("thead button")[1];
heading.click();
facts.down = column();
heading.click();
facts.up = column();
facts.bold = [...table.querySelectorAll("strong")].map((b) => Number(b.textContent.replace("−", "-")));
facts.sorted = heading.parentElement.getAttribute("aria-sort");
table.querySelector("tbody td button").click();
facts.origin = $("#tables .origin").textContent;

// An image without pictures says so, and the others are still there behind it.
const set = page.data.sets[0];
const bare = set.images.findIndex((_, i) => !(i in set.pics));
if (bare >= 0) {
  const shown = page.view.image;
  page.compare.open(set, bare);
  facts.bare = [...document.querySelectorAll("#compare .note")].map((n) => n.textContent).join();
  page.set({ image: shown });
  await wait("the picture again", () => !$(".panes").hidden && $(".panes figcaption").textContent === facts.first);
  facts.noted = [...document.querySelectorAll("#compare .note")].some((n) => !n.hidden);
}

// Where it helps: bars, a sentence, and the images by name.
facts.gains = { said: $("#gains .status").textContent, marks: $("#gains .marks").textContent };
facts.gains.shown = [".bars", ".dots"].every((part) => $(`#gains ${part}`).getBoundingClientRect().height > 100);
// Curves: what is chosen is drawn.
const plot = () => $("#curves canvas").toDataURL();
facts.plots = new Set(["psnr", "loss", "lr"].map((curve) => (page.set({ curve }), plot()))).size;
page.set({ curve: null });
const all = plot();
const line = $("#curves .legend input");
line.click();
facts.toggled = plot() !== all;
line.click();
facts.toggled &&= plot() === all;
page.set({ log: 1 });
facts.log = plot() !== all;
page.set({ log: null });
over($("#curves canvas"), 0.5, 0.5);
facts.hovered = $("#curves .status").textContent;
over($(".bars"), 0.01, 0.5);
facts.bar = $("#gains .status").textContent;

$(".bars").dispatchEvent(new PointerEvent("click", { bubbles: true, clientX: $(".bars").getBoundingClientRect().left + 1 }));
await new Promise((done) => setTimeout(done, 300));
facts.hash = decodeURIComponent(location.hash.replaceAll("+", " "));
// An address that somebody sent.
const image = set.images.find((_, i) => i in set.pics);
location.hash = new URLSearchParams({ image, mode: "gain", a: "GT", b: "LQ", k: 16 });
await wait("the view of an address", () => $(".panes figcaption").textContent.startsWith("|GT − GT| − |LQ − GT|, × 16"));
page.set({ mode: null, a: null, b: null, k: null });
// Of more pictures than have room GT is still one.
const kept = set.methods.find((m) => page.view.image && set.images.indexOf(page.view.image) in m.files);
for (let n = 0; n < 9; n++) set.methods.push({ ...kept, name: `copy ${n}` });
page.set({ mode: "all" });
await wait("nine panes", () => document.querySelectorAll(".panes canvas").length === 9 && $(".panes figcaption").textContent === "LQ");
facts.nine = [...document.querySelectorAll(".panes figcaption")].map((c) => c.textContent).at(-1);
key("g");
await wait("key g", () => $(".panes figcaption").textContent === "GT");
set.methods.length -= 9;
page.set({ mode: null, show: null });
facts.text = document.body.innerText;
facts.stages = document.querySelectorAll("#stage-list tbody tr").length;
facts.curves = document.querySelectorAll("#curves .legend label").length;
await wait("the end of the scripts of pictures", () => !$("head script[src]"));
facts.forged = window.forged === true;
