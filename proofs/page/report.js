"use strict";
{
  const form = document.getElementById("filter");
  const input = document.getElementById("filter-text");
  const output = form.querySelector("output");
  // What is looked at: the name, the title, the statement, the reference, and the heading of the paper.
  const texts = new Map();
  for (const article of document.querySelectorAll("article.theorem")) {
    const name = article.dataset.theorem;
    const parts = [article.closest(".chapter").querySelector("h2"), ...article.querySelectorAll("h3, .statement, .reference")];
    const read = parts.map((part) => part.textContent).join(" ");
    texts.set(name, `${name} ${name.replaceAll("_", " ")} ${read}`.toLowerCase());
  }
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = new Set();
    for (const element of document.querySelectorAll("[data-theorem]")) {
      const name = element.dataset.theorem;
      element.hidden = !words.every((word) => texts.get(name).includes(word));
      if (!element.hidden) shown.add(name);
    }
    for (const group of document.querySelectorAll("[data-filtered]")) {
      group.hidden = !group.querySelector("[data-theorem]:not([hidden])");
    }
    const said = shown.size ? `${shown.size} shown` : "No theorem has all of these words";
    output.value = words.length ? said : "";
  };
  const openTarget = () => {
    // A link leads to a theorem that the filter hides: the filter gives way.
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.closest("[hidden]")) {
      input.value = "";
      filter();
      target.scrollIntoView();
    }
  };
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  input.addEventListener("input", filter);
  addEventListener("hashchange", openTarget);
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not([open])")) {
      details.open = true;
      details.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    for (const details of document.querySelectorAll("details[data-opened]")) {
      details.open = false;
      delete details.dataset.opened;
    }
  });
}
