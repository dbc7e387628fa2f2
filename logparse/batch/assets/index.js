"use strict";
(() => {
const get = id => document.getElementById(id);
const body = get("logs").tBodies[0], rows = [...body.rows];
const values = JSON.parse(get("values").textContent), names = JSON.parse(get("names").textContent);
const texts = rows.map(row => row.textContent.toLowerCase());
const search = get("search"), chips = [...document.querySelectorAll(".chip")], count = get("count");
const heads = [...get("logs").tHead.rows[0].cells];

function filter() {
  const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const states = chips.filter(chip => chip.getAttribute("aria-pressed") === "true").map(chip => chip.dataset.state);
  let shown = 0;
  rows.forEach((row, i) => {
    const fits = (!states.length || states.includes(row.className)) && asked.every(word => texts[i].includes(word));
    row.hidden = !fits;
    shown += fits;
  });
  count.textContent = asked.length || states.length ? `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} logs` : "";
}

function order(column, down) {
  const key = i => column < 2 ? i : values[i][column - 2];
  const indices = rows.map((_, i) => i);
  if (column === 0) indices.sort((a, b) => texts[a] < texts[b] ? -1 : 1);
  else indices.sort((a, b) => {
    const x = key(a), y = key(b);
    if (x == null || y == null) return (x == null) - (y == null) || a - b;
    return (down ? y - x : x - y) || a - b;
  });
  if (column === 0 && down) indices.reverse();
  body.append(...indices.map(i => rows[i]));
  heads.forEach((head, i) => i === column ? head.setAttribute("aria-sort", down ? "descending" : "ascending") : head.removeAttribute("aria-sort"));
}

heads.forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => order(column, head.getAttribute("aria-sort") === "ascending"));
  head.replaceChildren(button);
});
rows.forEach(row => {
  [...row.cells].slice(2).forEach((cell, i) => { cell.dataset.head = heads[i + 2].textContent; });
  const codes = row.querySelector("s");
  if (codes) codes.title = codes.textContent.match(/LP\d+/g).map(code => `${code} ${names[code] || ""}`).join("\n");
});
chips.forEach(chip => chip.addEventListener("click", () => {
  chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
  filter();
}));
document.querySelectorAll(".code").forEach(button => button.addEventListener("click", () => {
  search.value = search.value === button.dataset.code ? "" : button.dataset.code;
  filter();
  search.scrollIntoView({block: "nearest"});
}));
search.addEventListener("input", filter);
search.hidden = get("chips").hidden = false;
})();
