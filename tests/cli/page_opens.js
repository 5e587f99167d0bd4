// Waits for the first view of the page, and leaves when it was there in the attribute `data-facts` of its body.
(async () => {
  const facts = { errors };
  const caption = () => document.querySelector(".panes figcaption")?.textContent ?? "";
  for (let n = 0; n < 400 && !caption(); n++) await new Promise((done) => setTimeout(done, 20));
  facts.ms = Math.round(performance.now());
  facts.first = caption();
  facts.images = page.currentSet().images.length;
  facts.keys = page.choices(page.currentSet(), 0).map((choice) => choice.id);
  facts.thumbnails = document.querySelectorAll(".thumb").length;
  document.body.dataset.facts = JSON.stringify(facts);
})();
