// What the assay found, as curves.
function drawPlots() {
  const plots = (state.found || {}).plots || [];
  if (!plots.length) return null;
  return section("found", "What was found", h("div", { class: "plots" }, plots.map(plotFigure)));
}

function ticks(low, high, wanted) {
  const span = high - low || 1;
  const raw = span / wanted, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((m) => m >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-6; i += 1) found.push(Number((i * step).toPrecision(12)));
  return found;
}

function extent(plot) {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const one of plot.series) {
    for (const x of one.x) if (x !== null) { x0 = Math.min(x0, x); x1 = Math.max(x1, x + one.width); }
    for (const list of [one.y, one.low, one.high]) for (const y of list) if (y !== null) { y0 = Math.min(y0, y); y1 = Math.max(y1, y); }
  }
  if (plot.square) {
    const most = Math.max(Math.abs(x0), Math.abs(x1), Math.abs(y0), Math.abs(y1), 1e-9) * 1.06;
    return [-most, most, -most, most];
  }
  if (y0 > 0) y0 = 0;
  if (plot.bottom !== null) y0 = plot.bottom;
  if (plot.top !== null) y1 = plot.top;
  else y1 += (y1 - y0) * 0.06;
  if (!(x1 > x0)) x1 = x0 + 1;
  if (!(y1 > y0)) y1 = y0 + 1;
  return [x0, x1, y0, y1];
}

function plotFigure(plot) {
  const wide = 380, high = plot.square ? 330 : 232;
  const edge = { left: 46, right: 12, top: 10, bottom: 38 };
  const [x0, x1, y0, y1] = extent(plot);
  let width = wide - edge.left - edge.right;
  const height = high - edge.top - edge.bottom;
  let left = edge.left;
  if (plot.square) { left += (width - height) / 2; width = height; }
  const px = (x) => left + ((x - x0) / (x1 - x0)) * width;
  const py = (y) => edge.top + (plot.square ? (y - y0) / (y1 - y0) : 1 - (y - y0) / (y1 - y0)) * height;
  const svg = s("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${plot.title}. ${plot.note}` },
    ticks(y0, y1, 5).map((y) => [
      s("line", { class: plot.square && y === 0 ? "grid zero" : "grid", x1: left, x2: left + width, y1: py(y), y2: py(y) }),
      s("text", { class: "axis", x: left - 6, y: py(y) + 4, "text-anchor": "end" }, number(y))]),
    plot.square && s("line", { class: "grid zero", x1: px(0), x2: px(0), y1: edge.top, y2: edge.top + height }),
    ticks(x0, x1, 6).map((x) => s("text", { class: "axis", x: px(x), y: edge.top + height + 16, "text-anchor": "middle" }, number(x))),
    s("text", { class: "axis", x: left + width / 2, y: high - 4, "text-anchor": "middle" }, plot.x),
    s("text", { class: "axis", transform: `translate(${left - 36} ${edge.top + height / 2}) rotate(-90)`, "text-anchor": "middle" }, plot.y),
    plot.series.map((one, index) => drawSeries(one, index, px, py, plot)));
  const legend = plot.square ? null : h("div", { class: "legend" }, plot.series.map((one, index) =>
    h("span", { class: `s${index % 8}` }, h("i", {}), one.name, " ", h("b", {}))));
  if (legend) follow(svg, legend, plot, { px, py, x0, x1, left, width, wide, edge, height });
  return h("figure", { class: "plot", id: `plot-${plot.key}` }, h("figcaption", {}, plot.title), svg, legend,
    plot.note && h("div", { class: "note" }, plot.note), !plot.square && numbers(plot));
}

function drawSeries(one, index, px, py, plot) {
  const style = `s${index % 8}`;
  if (one.kind === "bars") {
    return s("g", { class: `bars ${style}` }, one.x.map((x, i) => (one.y[i] ? s("rect", {
      x: px(x) + 0.7, width: Math.max(1, px(x + one.width) - px(x) - 1.4), y: py(one.y[i]), height: Math.max(0, py(0) - py(one.y[i])), rx: 1.5,
    }) : null)));
  }
  const band = one.low.length ? s("path", { class: `band ${style}`, d: bandPath(one, px, py) }) : null;
  return [band, s("path", { class: `curve ${style}${one.kind === "path" ? " thin" : ""}`, d: linePath(one, one.y, px, py) })];
}

function linePath(one, values, px, py) {
  let path = "", before = null;
  one.x.forEach((x, i) => {
    const y = values[i];
    if (x === null || y === null) { before = null; return; }
    const point = `${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
    if (before === null) path += `M${point}`;
    else path += one.kind === "steps" ? `L${px(x).toFixed(1)} ${py(before).toFixed(1)}L${point}` : `L${point}`;
    before = y;
  });
  return path;
}

function bandPath(one, px, py) {
  const points = one.x.map((x, i) => [x, one.low[i], one.high[i]]).filter((p) => p.every((v) => v !== null));
  if (points.length < 2) return "";
  const steps = one.kind === "steps";
  const edge = (column) => points.flatMap((p, i) => (steps && i ? [[p[0], points[i - 1][column]], [p[0], p[column]]] : [[p[0], p[column]]]));
  const all = [...edge(2), ...edge(1).reverse()];
  return `M${all.map(([x, y]) => `${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join("L")}Z`;
}

function follow(svg, legend, plot, frame) {
  const hair = s("line", { class: "hair", y1: frame.edge.top, y2: frame.edge.top + frame.height, visibility: "hidden" });
  svg.append(hair);
  const words = [...legend.querySelectorAll("b")];
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = frame.x0 + (((event.clientX - box.left) / box.width) * frame.wide - frame.left) / frame.width * (frame.x1 - frame.x0);
    if (at < frame.x0 || at > frame.x1) return;
    hair.setAttribute("visibility", "visible");
    hair.setAttribute("x1", frame.px(at));
    hair.setAttribute("x2", frame.px(at));
    plot.series.forEach((one, i) => {
      let last = -1;
      while (last + 1 < one.x.length && one.x[last + 1] <= at) last += 1;
      words[i].textContent = last < 0 || one.y[last] === null ? "" : number(one.y[last]);
    });
  });
  svg.addEventListener("pointerleave", () => {
    hair.setAttribute("visibility", "hidden");
    for (const word of words) word.textContent = "";
  });
}

// The numbers behind the curves, for those who do not see them, and for copying.
function numbers(plot) {
  const box = h("details", {}, h("summary", {}, "Numbers"));
  box.addEventListener("toggle", () => {
    if (!box.open || box.children.length > 1) return;
    box.append(h("div", { class: "scroll", tabindex: 0 }, plot.series.map((one) => h("table", {},
      h("thead", {}, h("tr", {}, h("th", { class: "num" }, plot.x), h("th", { class: "num" }, one.name), one.low.length > 0 && [h("th", { class: "num" }, "low"), h("th", { class: "num" }, "high")])),
      h("tbody", {}, one.x.map((x, i) => h("tr", {}, h("td", { class: "num" }, number(x)), h("td", { class: "num" }, number(one.y[i])), one.low.length > 0 && [h("td", { class: "num" }, number(one.low[i])), h("td", { class: "num" }, number(one.high[i]))])))))));
  });
  return box;
}
