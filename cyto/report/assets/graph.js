// The graph as a picture. Boxes are links to the nodes, so that the keyboard reaches them.
function drawGraph() {
  const graph = state.graph;
  const channels = graph.boxes.filter((box) => !box.nodes.length).length;
  const words = `${many(state.nodes.length, "node")}${channels ? `, ${many(channels, "channel")}` : ""}`;
  const svg = s("svg", {
    width: graph.width, height: graph.height, viewBox: `0 0 ${graph.width} ${graph.height}`,
    role: "group", "aria-label": `The graph: ${words}`,
  },
  s("defs", {}, s("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, s("path", { d: "M0 0.8 L8 4 L0 7.2 z" }))),
  graph.arrows.map((arrow) => s("path", { class: "arrow", d: curve(arrow.points), "marker-end": "url(#tip)" })),
  graph.boxes.map((box, place) => (box.nodes.length ? nodeBox(box, place) : channelBox(box))));
  const frame = h("div", { class: "scroll graph", tabindex: 0, role: "region", "aria-label": "Graph, scrolls" }, svg);
  let zoom = 1;
  const scale = (factor) => {
    zoom = factor ? Math.min(3, Math.max(0.1, zoom * factor)) : Math.min(1, frame.clientWidth / graph.width);
    svg.setAttribute("width", graph.width * zoom);
    svg.setAttribute("height", graph.height * zoom);
  };
  // a picture that is a little too wide is made smaller; a much larger one is scrolled
  requestAnimationFrame(() => { if (frame.clientWidth / graph.width > 0.72) scale(0); });
  const buttons = h("div", { class: "row tools", style: { gap: ".3rem", "flex-wrap": "nowrap" } },
    h("button", { onclick: () => scale(1 / 1.25), "aria-label": "Smaller" }, "−"),
    h("button", { onclick: () => scale(1.25), "aria-label": "Larger" }, "+"),
    h("button", { onclick: () => scale(0) }, "Fit"));
  return section("graph", "What ran", buttons, frame);
}

function curve(points) {
  let path = `M${points[0][0]} ${points[0][1]}`;
  for (let i = 1; i < points.length; i += 1) {
    const [x0, y0] = points[i - 1], [x1, y1] = points[i];
    const middle = (x0 + x1) / 2;
    path += y0 === y1 ? ` L${x1} ${y1}` : ` C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
  }
  return path;
}

const fitted = (text, width, px) => {
  const most = Math.floor(width / px);
  return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
};

function channelBox(box) {
  return s("g", { class: "channel", transform: `translate(${box.x} ${box.y})` },
    s("title", {}, `channel ${box.name}`),
    s("rect", { width: box.w, height: box.h, rx: box.h / 2 }),
    s("text", { x: box.w / 2, y: box.h / 2 + 4, "text-anchor": "middle" }, fitted(box.name, box.w - 16, 7)));
}

function nodeBox(box, index) {
  const nodes = box.nodes.map((place) => state.nodes[place]);
  const first = nodes[0], single = nodes.length === 1;
  const group = s("a", { class: "box", href: `#${single || nodes[1].plain !== first.plain ? "node" : "group"}-${first.index}`, "data-box": index },
    s("title", {}),
    s("g", { transform: `translate(${box.x} ${box.y})` },
      s("rect", { class: "body", width: box.w, height: box.h, rx: 7 }),
      s("rect", { class: "edge", width: 5, height: box.h - 10, x: 5, y: 5, rx: 2.5 }),
      s("text", { x: 17, y: 19 }, fitted(box.name, box.w - 24, 7.3)),
      s("text", { class: "under", x: 17, y: 33.5 }, fitted(single ? box.under : `${nodes.length} × ${box.under}`, box.w - 24, 5.9)),
      s("text", { class: "under tone", x: 17, y: 47.5 })));
  group.update = () => updateBox(group, box);
  group.update();
  return group;
}

function updateBox(group, box) {
  const nodes = box.nodes.map((place) => state.nodes[place]);
  const now = joint(nodes), single = nodes.length === 1;
  const time = nodes.reduce((sum, node) => sum + (node.state === "succeeded" ? node.wall : 0), 0);
  let text;
  if (single) {
    const node = nodes[0];
    const chunks = node.state !== "succeeded" && node.total ? ` ${node.done}/${node.total}` : "";
    text = node.state === "succeeded" ? `${SIGN[now]} ${duration(node.wall)}` : `${SIGN[now]} ${WORD[now]}${chunks}`;
  } else {
    text = counted(nodes).map(([name, count]) => `${SIGN[name]} ${count}`).join("  ") + (time ? `  ${duration(time)}` : "");
  }
  group.setAttribute("class", `box ${now}`);
  group.querySelector("title").textContent = `${box.name}: ${counted(nodes).map(([name, count]) => (single ? WORD[name] : `${count} ${WORD[name]}`)).join(", ")}${nodes[0].message && single ? `\n${nodes[0].message}` : ""}`;
  group.querySelector(".tone").textContent = fitted(text, box.w - 22, 6.2);
}

function updateGraph() {
  for (const box of document.querySelectorAll("#graph a.box")) box.update();
}
