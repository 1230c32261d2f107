"use strict";
(() => {
  // Paper has no triangles to click on.
  const opened = [];
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open], .long)")) {
      details.open = true;
      opened.push(details);
    }
  });
  addEventListener("afterprint", () => {
    while (opened.length) opened.pop().open = false;
  });

  // Pointing at a node of the proof graph shows what it rests on and what rests on it.
  const graph = document.querySelector("svg.graph");
  if (!graph) return;
  const edges = [...graph.querySelectorAll("[data-from]")];
  const reach = (start, from, to) => {
    const found = new Set([start]);
    for (const claim of found) for (const edge of edges) if (edge.dataset[from] === claim) found.add(edge.dataset[to]);
    return found;
  };
  const light = (event) => {
    const node = event.target.closest("[data-claim]");
    graph.classList.toggle("focused", Boolean(node));
    if (!node) return;
    const below = reach(node.dataset.claim, "to", "from");
    const above = reach(node.dataset.claim, "from", "to");
    for (const edge of edges) {
      const { from, to } = edge.dataset;
      edge.classList.toggle("lit", (below.has(from) && below.has(to)) || (above.has(from) && above.has(to)));
    }
    for (const other of graph.querySelectorAll("[data-claim]")) {
      other.classList.toggle("lit", below.has(other.dataset.claim) || above.has(other.dataset.claim));
    }
  };
  for (const name of ["mouseover", "focusin"]) graph.addEventListener(name, light);
  for (const name of ["mouseleave", "focusout"]) graph.addEventListener(name, () => graph.classList.remove("focused"));
})();
