// The stages of the run: state, reason, time and memory; and the start of everything.
// Unaware of results.
"use strict";

(() => {
  const root = page.by("stage-list");
  const COLUMNS = [["name", "stage"], ["kind", "kind"], ["state", "state"], ["seconds", "seconds"], ["mib", "peak MiB"], ["why", "reason"], ["key", "key"]];
  let sorted = { by: null, down: false };
  const text = (stage, field) => {
    if (field === "key") return (stage.key ?? "").slice(0, 12);
    if (field === "seconds") return stage.seconds == null ? "" : stage.seconds.toFixed(1);
    return stage[field] == null ? "" : String(stage[field]);
  };
  const fill = (body) => {
    const rows = [...page.data.stages];
    if (sorted.by) rows.sort((p, q) => {
      const [a, b] = [p[sorted.by], q[sorted.by]];
      if (a == null || b == null) return (a == null) - (b == null);
      const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
      return sorted.down ? -order : order;
    });
    body.replaceChildren(...rows.map((s) => page.el("tr", { class: s.state }, ...COLUMNS.map(([field]) => page.el(field === "name" ? "th" : "td", field === "key" ? { title: s.key ?? "" } : {}, text(s, field))))));
  };
  const start = () => {
    const body = page.el("tbody");
    const head = page.el("tr", {}, ...COLUMNS.map(([field, name]) => {
      const th = page.el("th", { scope: "col", "aria-sort": "none" }, page.el("button", { type: "button", class: "sort", click: () => {
        sorted = { by: field, down: sorted.by === field && !sorted.down };
        [...th.parentElement.children].forEach((h) => h.setAttribute("aria-sort", "none"));
        th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
        fill(body);
      } }, name));
      return th;
    }));
    fill(body);
    root.append(page.el("table", {}, page.el("thead", {}, head), body));
  };
  // Most files have few stages; thousands are filled in when they are looked at.
  const details = root.closest("details");
  if (details) details.addEventListener("toggle", () => root.children.length || start());
  page.started.push(() => details?.open && start());
})();

// The address holds the view, so that a section is gone to without it.
for (const link of document.querySelectorAll("nav a")) link.addEventListener("click", (event) => {
  event.preventDefault();
  page.by(link.dataset.to)?.scrollIntoView();
});

for (const start of page.started) start();
