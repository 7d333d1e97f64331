"use strict";
// Figures are drawn when they come into view: a page may have many. Where that fails, the drawings
// that are there for paper stay.
(() => {
  const narrow = window.matchMedia("(max-width: 40rem)").matches;
  const items = new Map(JSON.parse(document.getElementById("figures").textContent).map((item) => [item.target_id, item]));
  document.documentElement.classList.add("scripted");
  const plain = (error) => {
    document.documentElement.classList.remove("scripted");
    throw error;
  };
  const draw = async (place) => {
    const views = await Bokeh.embed.embed_item(items.get(place.id));
    place.style.minHeight = "auto";
    for (const root of [...views].map((view) => view.model)) {
      for (const model of root.references()) {
        if (model.name === "lanes" && narrow) model.major_label_overrides = new Map(model.tags[0]);
        if (model.type === "Toolbar" && !narrow) model.active_drag = model.tools.find((tool) => tool.type === "BoxZoomTool") ?? null;
      }
    }
  };
  const watch = new IntersectionObserver((seen) => {
    for (const entry of seen) {
      if (!entry.isIntersecting) continue;
      watch.unobserve(entry.target);
      draw(entry.target).catch(plain);
    }
  }, { rootMargin: "400px" });
  for (const place of document.querySelectorAll("div.live")) watch.observe(place);
})();
