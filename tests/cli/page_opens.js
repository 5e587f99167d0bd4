// Waits for the first view of the page, and says when it was there.
const caption = () => $(".panes figcaption")?.textContent ?? "";
await wait("the first view", caption);
facts.ms = Math.round(performance.now());
facts.first = caption();
facts.images = page.currentSet().images.length;
facts.keys = page.choices(page.currentSet(), 0).map((choice) => choice.id);
facts.thumbnails = document.querySelectorAll(".thumb").length;
