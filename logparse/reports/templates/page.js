// Draws each chart when it comes into view; theme toggle; everything open and light for print.
"use strict";
(async () => {
  const root = document.documentElement;
  const settings = JSON.parse(document.getElementById("settings").textContent);
  const darkWanted = window.matchMedia("(prefers-color-scheme: dark)");
  const charts = [...document.querySelectorAll("script[data-chart]")].map((data) => ({
    data, place: document.getElementById(data.dataset.chart), figure: null, drawn: null,
  }));
  const config = {
    responsive: true, displaylogo: false, displayModeBar: "hover",
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
  };

  const dark = () => (root.dataset.theme || (darkWanted.matches ? "dark" : "light")) === "dark";

  // A drawn figure changes its theme by its colours: each stands for one thing.
  function recolored(value, colors) {
    if (typeof value === "string") return colors[value] || value;
    if (Array.isArray(value)) return value.map((one) => recolored(one, colors));
    if (value && typeof value === "object") {
      if ("bdata" in value) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, one]) => [key, recolored(one, colors)]));
    }
    return value;
  }

  const PAPER = { autosize: false, width: 670, height: 320 };

  function draw(chart, theme, size = {}) {
    const form = theme + JSON.stringify(size);
    if (chart.drawn === form || typeof Plotly === "undefined") return;
    chart.figure = chart.figure || JSON.parse(chart.data.textContent);
    const both = { ...chart.figure, template: settings.template };
    const figure = theme === "dark" ? recolored(both, settings.dark) : both;
    const data = figure.data.map((trace) => ({ ...trace }));
    const layout = { template: figure.template, ...structuredClone(figure.layout), ...size };
    if ((size.width || chart.place.clientWidth) < 560) narrow(layout);
    if (!chart.drawn) chart.place.replaceChildren();
    Plotly.react(chart.place, data, layout, config);
    // What the label and the table say is easier to hear than the texts of an axis.
    for (const svg of chart.place.querySelectorAll("svg.main-svg")) svg.setAttribute("aria-hidden", "true");
    chart.drawn = form;
  }

  function narrow(layout) {
    layout.margin = { ...layout.margin, l: 44, r: 12 };
    layout.font = { ...layout.font, size: 11 };
  }

  // Plotly's script is a third of its size when packed; the page's policy knows it by its hash.
  async function unpack(packed) {
    const bytes = Uint8Array.from(atob(packed.textContent), (char) => char.charCodeAt(0));
    const plain = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(plain).text();
    document.head.append(script);
  }

  const theme = () => (dark() ? "dark" : "light");
  function retheme() {
    button.textContent = dark() ? "Light" : "Dark";
    button.setAttribute("aria-label", dark() ? "Switch to light colours" : "Switch to dark colours");
    for (const chart of charts) if (chart.seen) draw(chart, theme());
  }

  const button = document.getElementById("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    retheme();
  });
  darkWanted.addEventListener("change", retheme);
  const print = document.getElementById("print");
  print.hidden = false;
  print.addEventListener("click", () => window.print());
  retheme();

  let before = null;
  window.addEventListener("beforeprint", () => {
    before = {
      theme: root.dataset.theme,
      closed: [...document.querySelectorAll("details:not([open])")],
    };
    root.dataset.theme = "light";
    for (const one of before.closed) one.open = true;
    for (const chart of charts) draw(chart, "light", PAPER);
  });
  window.addEventListener("afterprint", () => {
    if (!before) return;
    if (before.theme) root.dataset.theme = before.theme;
    else delete root.dataset.theme;
    for (const one of before.closed) one.open = false;
    before = null;
    for (const chart of charts) if (chart.drawn) chart.seen = true;
    retheme();
  });

  // A link to a finding or a table opens what it is in.
  function reveal() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  }
  window.addEventListener("hashchange", reveal);
  reveal();

  const packed = document.getElementById("plotly");
  if (packed) await unpack(packed);
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      const chart = charts.find((one) => one.place === entry.target);
      chart.seen = true;
      draw(chart, theme());
    }
  }, { rootMargin: "400px" });
  for (const chart of charts) watcher.observe(chart.place);
})();
