// Tables: sorted by a click on a heading, each number with what it is made of, copied in three formats.
// Unaware of pictures.
"use strict";

(() => {
  const root = page.by("tables");
  const decimals = (cell, column) => (cell.metric || page.data.metrics.some(([, title]) => title === column) ? 4 : null);
  // Numbers of a column have one form: where one is no whole number, all have a decimal.
  const shown = (cell, column, isWhole = Number.isInteger(cell.value)) => {
    if (cell.value == null) return "–";
    const d = decimals(cell, column) ?? (isWhole ? null : 1);
    return d == null ? page.count(cell.value) : page.number(cell.value, d);
  };

  // Lines below the value: what the number alone does not say.
  const details = (cell, column) => {
    const lines = [];
    if (cell.deviation != null) lines.push(`± ${decimals(cell, column) == null ? page.count(cell.deviation) : page.number(cell.deviation)}`);
    if (cell.delta != null) lines.push(`Δ ${page.signed(cell.delta)}`);
    if (cell.low != null) lines.push(`[${page.signed(cell.low)}, ${page.signed(cell.high)}]`);
    if (cell.metric && cell.images) lines.push(`n = ${page.count(cell.images)}${cell.seeds > 1 ? `, ${cell.seeds} seeds` : ""}`);
    if (cell.published != null) lines.push(`published ${page.number(cell.published)}${cell.difference == null ? "" : ` (${page.signed(cell.difference)})`}`);
    return lines;
  };

  const stageOf = (key) => page.data.stages.find((s) => s.key === key);

  // Where a number comes from: keys, the images' own values, the command that makes it again.
  const origin = (cell, labels, column) => {
    const stages = cell.keys.map((key) => stageOf(key)).filter(Boolean).map((s) => s.name);
    const line = (what, text) => page.el("p", {}, page.el("b", {}, `${what} `), page.el("code", {}, text));
    const images = page.data.sets.flatMap((set) => set.methods.filter((m) => cell.keys.includes(m.key)).map((m) => [set, m]));
    return page.el("div", { class: "origin" },
      page.el("p", {}, page.el("b", {}, `${labels.join(", ")} — ${column}: ${shown(cell, column)}`), ...(cell.value == null ? [] : [` (${cell.value})`])),
      ...cell.keys.map((key) => line(`key of ${stageOf(key)?.name ?? "an evaluation"}`, key)),
      ...cell.baseline.map((key) => line(`key of its baseline ${stageOf(key)?.name ?? ""}`, key)),
      stages.length ? line("to compute it again", page.command(stages)) : null,
      ...images.map(([set, method]) => page.el("details", {}, page.el("summary", {}, `the ${set.images.length} images of ${set.name}, ${method.name}`), perImage(set, method))));
  };
  const MOST = 500;
  const perImage = (set, method) => {
    const metrics = page.data.metrics.filter(([name]) => name in method.values);
    const rows = set.images.slice(0, MOST).map((image, i) => page.el("tr", {},
      page.el("td", {}, page.el("button", { type: "button", class: "link", click: () => { page.compare.open(set, i); page.by("compare").scrollIntoView(); } }, image)),
      ...metrics.map(([name]) => page.el("td", {}, page.number(method.values[name]?.[i])))));
    const rest = set.images.length - MOST;
    return page.el("div", {}, page.el("table", {}, page.el("thead", {}, page.el("tr", {}, ...["image", ...metrics.map(([, title]) => title)].map((h) => page.el("th", {}, h)))), page.el("tbody", {}, ...rows)),
      rest > 0 ? page.el("p", { class: "note" }, `and ${page.count(rest)} more, in metrics.csv of the evaluation: ${page.data.path} ${page.quoted(method.stage)}`) : null);
  };

  // Texts by their numbers where they have some: ×2 before ×10.
  const compareTexts = new Intl.Collator("en", { numeric: true }).compare;

  const printed = (cell) => Number(cell.value.toFixed(4));
  const setOf = new Map(page.data.sets.flatMap((set) => set.methods.map((method) => [method.key, set.name])));
  const imagesOf = (cell) => [...new Set(cell.keys.map((key) => setOf.get(key) ?? key))].sort().join("\n");

  const drawn = (table) => {
    const head = page.el("tr");
    const body = page.el("tbody");
    const below = page.el("div");
    let sorted = { by: -1, down: false };
    const value = (row, by) => (by < table.labels.length ? row.labels[by] : row.cells[by - table.labels.length]?.value);
    const isWhole = table.columns.map((_, c) => table.rows.every((r) => r.cells[c]?.value == null || Number.isInteger(r.cells[c].value)));
    const fill = () => {
      let rows = [...table.rows];
      if (sorted.by >= 0) rows.sort((p, q) => {
        const [a, b] = [value(p, sorted.by), value(q, sorted.by)];
        if (a == null || b == null) return (a == null) - (b == null);
        const order = typeof a === "number" ? a - b : compareTexts(a, b);
        return sorted.down ? -order : order;
      });
      // The best of the rows on the same images, as in the text of the table.
      const best = table.columns.map((_, c) => {
        const groups = new Map();
        for (const cell of table.rows.map((r) => r.cells[c]).filter((cell) => cell?.metric && cell.value != null)) {
          groups.set(imagesOf(cell), [...(groups.get(imagesOf(cell)) ?? []), printed(cell)]);
        }
        return new Map([...groups].map(([on, values]) => [on, Math.max(...values) > Math.min(...values) ? Math.max(...values) : Infinity]));
      });
      body.replaceChildren(...rows.map((row) => page.el("tr", {}, ...row.labels.map((l) => page.el("th", { scope: "row" }, l)), ...row.cells.map((cell, c) => {
        const isBest = cell.value != null && cell.metric && printed(cell) >= best[c].get(imagesOf(cell)) && !(cell.delta < -5e-5);
        const button = page.el("button", { type: "button", class: "link", title: "where this number comes from", "aria-expanded": "false", click: () => {
          const open = button.getAttribute("aria-expanded") === "true";
          body.querySelectorAll("[aria-expanded=true]").forEach((b) => b.setAttribute("aria-expanded", "false"));
          button.setAttribute("aria-expanded", String(!open));
          below.replaceChildren(...(open ? [] : [origin(cell, row.labels, table.columns[c])]));
        } }, page.el(isBest ? "strong" : "span", {}, shown(cell, table.columns[c], isWhole[c])));
        return page.el("td", {}, button, ...details(cell, table.columns[c]).map((line) => page.el("small", {}, line)));
      }))));
    };
    [...table.labels, ...table.columns].forEach((name, by) => {
      const th = page.el("th", { scope: "col", "aria-sort": "none" });
      th.append(page.el("button", { type: "button", class: "sort", click: () => {
        sorted = { by, down: sorted.by === by ? !sorted.down : by >= table.labels.length };
        [...head.children].forEach((h) => h.setAttribute("aria-sort", "none"));
        th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
        fill();
      } }, name));
      head.append(th);
    });
    fill();
    const copies = [["Markdown", table.md], ["LaTeX", table.tex], ["CSV", table.csv]].filter(([, text]) => text);
    return page.el("article", { id: `table-${table.name}`, class: "table" },
      page.el("h3", {}, table.caption || table.name),
      page.el("div", { class: "scroll" }, page.el("table", {}, page.el("thead", {}, head), body)),
      page.el("div", { class: "bar" }, ...copies.map(([name, text]) => page.button(name, `copy as ${name}`, (e) => page.copy(text, e.currentTarget)))),
      below, ...table.notes.map((note) => page.el("p", { class: "note" }, note)));
  };

  page.started.push(() => {
    root.hidden = !page.data.tables.length;
    root.append(...page.data.tables.map(drawn));
  });
})();
