// Who ran when and where, and what to ask for next time.
const ROWS = 60;

// Nodes that are one row: those of one name; of very many names, those that are one box above.
function bundles(nodes) {
  const named = groups(nodes, (node) => node.plain);
  if (named.size <= ROWS) return [...named.entries()];
  const kept = new Set(nodes.map((node) => node.index));
  return state.graph.boxes.map((box) => [box.name, box.nodes.filter((index) => kept.has(index)).map((index) => state.nodes[index])])
    .filter(([, members]) => members.length);
}

function drawTime() {
  const ran = state.nodes.filter((node) => node.spans.length);
  if (!ran.length) return null;
  const rows = bundles(ran)
    .map(([name, nodes]) => ({ name, nodes, begun: Math.min(...nodes.map((node) => node.begun)) }))
    .sort((a, b) => a.begun - b.begun);
  const end = Math.max(state.run.elapsed, ...ran.map((node) => Math.max(...node.spans.map((span) => span[1] || 0))), 0.001);
  const box = h("div", { class: "lanes", tabindex: 0, role: "region", "aria-label": "Timeline, scrolls" });
  replace(box, axis(end), rows.map((row) => lane(row, end)));
  return section("time", "When and where", box);
}

function axis(end) {
  const marks = ticks(0, end, 8).filter((mark) => mark <= end);
  return h("div", { class: "lane ticks", "aria-hidden": "true" }, h("span", { class: "name" }),
    h("div", { class: "track" }, marks.map((mark) => h("span", { style: { left: `${(mark / end) * 100}%` } }, duration(mark)))),
    h("span", { class: "where" }));
}

function lane(row, end) {
  const bars = row.nodes.flatMap((node) => node.spans.map((span) => ({ node, span }))).sort((a, b) => a.span[0] - b.span[0]);
  const free = [];  // when each level is free again
  for (const bar of bars) {
    let level = free.findIndex((time) => time <= bar.span[0] + 1e-6);
    if (level < 0) level = free.length < 12 ? free.length : bars.indexOf(bar) % 12;
    free[level] = bar.span[1] === null ? Infinity : bar.span[1];
    bar.level = level;
  }
  const levels = Math.max(1, free.length), thick = levels > 1 ? 8 : 18;
  const first = row.nodes[0];
  const hosts = [...new Set(bars.map((bar) => bar.span[4]).filter((name) => name && !name.startsWith("cyto-")))];
  const where = `${place(first)}${hosts.length ? `, ${hosts.slice(0, 3).join(" ")}${hosts.length > 3 ? " …" : ""}` : ""}`;
  const cpus = many(first.cpus || 1, "cpu") + (first.gpus ? `, ${many(first.gpus, "gpu")}` : "");
  return h("div", { class: "lane" },
    h("a", { class: "name", href: `#${row.nodes.length > 1 && row.nodes.every((node) => node.plain === first.plain) ? "group" : "node"}-${first.index}`, title: row.name }, row.name),
    h("div", { class: "track", style: { height: `${levels * thick}px` } }, bars.slice(0, 1500).map(({ node, span, level }) => {
      const stop = span[1] === null ? state.run.elapsed : span[1];
      const words = [node.name, span[3], `${duration(stop - span[0])}, from ${duration(span[0])}`, span[4], span[2] ? "" : "failed"];
      return h("div", {
        class: `bar ${span[1] === null ? "running" : span[2] ? "succeeded" : "failed"}`, title: words.filter((word) => word).join("\n"),
        style: { left: `${(span[0] / end) * 100}%`, width: `${((stop - span[0]) / end) * 100}%`, top: `${level * thick + 1}px`, height: `${thick - 2}px` },
      });
    })),
    h("span", { class: "where" }, `${where} · ${cpus}`));
}

const round = (bytes) => {  // up to the next amount that people write
  const steps = [64, 128, 256, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768, 49152, 65536, 98304, 131072];
  const wanted = (bytes * 1.3) / 2 ** 20;
  return (steps.find((step) => step >= wanted) || Math.ceil(wanted / 65536) * 65536) * 2 ** 20;
};
const written = (bytes) => (bytes % 2 ** 30 ? `${bytes / 2 ** 20}Mi` : `${bytes / 2 ** 30}Gi`);

function drawAsk() {
  const ran = state.nodes.filter((node) => node.peak && (["succeeded", "cached"].includes(node.state) || (node.state === "failed" && node.peak > 0.8 * node.memory)));
  if (!ran.length) return null;
  const rows = bundles(ran).map(([name, nodes]) => askRow(name, nodes));
  return section("ask", "What it used, and what to ask for next time",
    h("p", { class: "soft small" }, "The most that any run of the node used. The last column leaves a third more room for memory. Of nodes that were done before, what they used then."),
    h("div", { class: "scroll lanes wide", tabindex: 0, role: "region", "aria-label": "Resources, scrolls" }, h("table", {},
      h("thead", {}, h("tr", {}, ["node", "time", "limit", "cpus busy", "cpus", "peak memory", "asked", "", "next time"].map((title, i) =>
        h("th", { class: i > 0 && i < 7 ? "num" : "" }, title)))),
      h("tbody", {}, rows))));
}

function askRow(name, nodes) {
  const most = (key) => Math.max(...nodes.map((node) => node[key] || 0));
  const peak = most("peak"), asked = nodes[0].memory, cpus = nodes[0].cpus;
  const whole = nodes.filter((node) => node.wall > 0 && !node.total);
  const busy = whole.length ? Math.max(...whole.map((node) => node.cpu / node.wall)) : null;
  const share = asked ? peak / asked : null;
  const tone = share === null ? "" : share > 0.9 ? "tight" : share < 0.25 ? "loose" : "";
  const advice = [];
  if (!asked || tone) advice.push(`memory: ${written(round(peak))}`);
  if (busy && cpus > 1 && busy < cpus * 0.5) advice.push(`cpus: ${Math.max(1, Math.ceil(busy))}`);
  return h("tr", {},
    h("td", {}, nodes.length > 1 ? `${name} (${nodes.length} ×)` : name),
    h("td", { class: "num" }, duration(most("wall"))),
    h("td", { class: "num" }, nodes[0].limit ? duration(nodes[0].limit) : "–"),
    h("td", { class: "num" }, busy === null ? "" : busy.toFixed(1)),
    h("td", { class: "num" }, cpus || "–"),
    h("td", { class: "num" }, memory(peak)),
    h("td", { class: "num" }, asked ? memory(asked) : "–"),
    h("td", {}, share === null ? "" : h("span", { class: `meter ${tone}`, title: `${Math.round(share * 100)} %` }, h("i", { style: { width: `${Math.min(100, share * 100)}%` } }))),
    h("td", {}, advice.length ? h("code", {}, advice.join(", ")) : "as it is"));
}
