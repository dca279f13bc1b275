// Every node: parameters, inputs, outputs, log and exact command; made when it is opened.
function drawNodes() {
  const search = h("input", { type: "search", placeholder: "Find a node, task, image or message", "aria-label": "Find a node", oninput: () => find() });
  const only = h("select", { "aria-label": "State", onchange: () => find() }, h("option", { value: "" }, "all states"),
    counted(state.nodes).map(([name, count]) => h("option", { value: name }, `${WORD[name]} (${count})`)));
  const box = h("div", { id: "nodelist" });
  const find = () => {
    const words = search.value.toLowerCase();
    listNodes(box, state.nodes.filter((node) => (!only.value || node.state === only.value)
      && (!words || `${node.name} ${node.module} ${node.image} ${node.message}`.toLowerCase().includes(words))));
  };
  listNodes(box, state.nodes);
  return section("nodes", "Nodes", state.nodes.length > 8 && h("div", { class: "row", style: { "margin-bottom": ".6rem" } }, search, only), box);
}

function listNodes(box, nodes) {
  const rows = [...groups(nodes, (node) => node.plain).values()];
  const fill = (count) => replace(box, rows.slice(0, count).map((row) => (row.length > 1 ? groupRow(row) : nodeRow(row[0]))),
    rows.length > count && h("p", {}, h("button", { onclick: () => fill(count + 300) }, `Show more of ${rows.length}`)));
  fill(300);
  if (!rows.length) replace(box, h("p", { class: "soft" }, "None."));
}

const cell = (text, style) => h("span", { class: style || "" }, text);

function groupRow(given) {
  const first = given[0], current = () => given.map((node) => state.nodes[node.index]);
  const summary = h("summary"), body = h("div", { class: "body" });
  const box = h("details", { id: `group-${first.index}` }, summary, body);
  box.update = () => {
    const nodes = current(), time = nodes.reduce((sum, node) => sum + node.wall, 0);
    box.setAttribute("class", `group ${joint(nodes)}`);
    replace(summary, cell(SIGN[joint(nodes)], "sign"), cell(`${first.plain} (${nodes.length} ×)`), cell(first.task, "wide soft"),
      cell(counted(nodes).map(([name, count]) => `${count} ${WORD[name]}`).join(", "), "wide soft"),
      cell(duration(time), "num"), cell(memory(Math.max(...nodes.map((node) => node.peak))), "num wide"));
  };
  box.update();
  box.fill = (least) => {
    const worst = current().sort((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || a.index - b.index);
    const more = (count) => replace(body, worst.slice(0, count).map((node) => nodeRow(node)),
      worst.length > count && h("button", { onclick: () => more(count + 300) }, `Show more of ${worst.length}`));
    more(least || 200);
  };
  box.addEventListener("toggle", () => { if (box.open && !body.children.length) box.fill(); });
  return box;
}

function nodeRow(given) {
  const summary = h("summary"), body = h("div", { class: "body" });
  const box = h("details", { id: `node-${given.index}` }, summary, body);
  box.fill = () => replace(body, nodeBody(state.nodes[given.index], state.details[given.index] || {}));
  box.update = () => {
    const node = state.nodes[given.index];
    box.setAttribute("class", `node ${node.state}`);
    replace(summary, cell(SIGN[node.state], "sign"), cell(node.name), cell(node.task, "wide soft"), cell(place(node), "wide soft"),
      cell(node.state === "succeeded" || node.wall ? duration(node.wall) : WORD[node.state], "num"), cell(memory(node.peak), "num wide"));
    if (box.open) box.fill();
  };
  box.update();
  box.addEventListener("toggle", () => { if (box.open) box.fill(); });
  return box;
}

function rowsOf(pairs) {
  const kept = pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  return h("table", {}, h("tbody", {}, kept.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value)))));
}

function nodeBody(node, detail) {
  const asked = [node.cpus && many(node.cpus, "cpu"), node.memory && memory(node.memory), node.gpus ? many(node.gpus, "gpu") : null, node.limit && duration(node.limit),
    ...Object.entries(detail.options || {}).map(([key, value]) => `${key}=${value}`)].filter((part) => part).join(", ");
  const used = [node.wall ? duration(node.wall) : "", node.cpu ? `${duration(node.cpu)} of cpu` : "", node.peak ? `${memory(node.peak)} at most` : ""].filter((part) => part).join(", ");
  const log = detail.log || {};
  return [
    node.message && h("p", { class: `message ${node.state}`, style: { color: "var(--tone)", "white-space": "pre-wrap" } }, node.message),
    h("div", { class: "two" },
      h("div", {}, h("h4", {}, "Facts"), rowsOf([
        ["state", WORD[node.state] + (node.state === "cached" && detail.run ? `, by run ${detail.run}` : "")], ["task", h("code", {}, node.module)], ["where", place(node) + (node.image ? ` (${node.image})` : "")],
        ["asked", asked], ["used", used],
        ["from, to", node.begun === null ? "" : `${duration(node.begun)} – ${node.finished === null ? "…" : duration(node.finished)} after the start`],
        ["chunks", node.total ? `${node.done} of ${node.total}` : ""], ["attempts that failed", node.attempts || ""], ["Slurm jobs", node.jobs.join(" ")],
        ["tags", (detail.tags || []).join(", ")], ["environment", detail.identity && h("code", {}, detail.identity)], ["result", detail.key && h("code", {}, detail.key)]])),
      h("div", {}, h("h4", {}, "Parameters"), Object.keys(detail.params || {}).length ? rowsOf(Object.entries(detail.params).map(([name, value]) => [name, h("code", {}, JSON.stringify(value))])) : h("p", { class: "soft small" }, "none"))),
    (detail.inputs || []).length > 0 && [h("h4", {}, "Inputs"), h("div", { class: "scroll" }, rowsOf(detail.inputs.map((input) => [input.key,
      [input.node === null ? input.from : h("a", { href: `#node-${input.node}` }, input.from), input.shape && h("span", { class: "soft" }, ` ${input.shape}`), input.path && [" ", h("code", {}, input.path)]]])))],
    (detail.outputs || []).length > 0 && [h("h4", {}, "Outputs"), h("div", { class: "scroll" }, rowsOf(detail.outputs.map((output) => [output.key,
      [`${output.text} `, output.path ? fileLink(output.link, output.path) : output.stored && h("code", { class: "soft" }, output.stored)]])))],
    (detail.attempts || []).map((text, i) => [h("h4", {}, `Attempt ${i + 1} failed`), h("pre", { tabindex: 0 }, text)]),
    detail.traceback && [h("h4", {}, "Traceback"), h("pre", { tabindex: 0 }, detail.traceback)],
    log.path && [h("h4", {}, log.cut ? "Log, its end" : "Log", " ", fileLink(log.link, log.path)),
      log.text ? h("pre", { tabindex: 0 }, log.text) : h("p", { class: "soft small" }, log.cut ? "left out, as this page is full" : "It printed nothing.")],
    detail.command && [h("h4", {}, node.chunks > 1 ? `Exact command, of one of ${node.chunks} chunks` : "Exact command"), h("pre", { class: "command", tabindex: 0 }, detail.command)],
    detail.script && h("p", { class: "small soft" }, "Submitted as ", h("code", {}, detail.script)),
  ].flat(Infinity).filter((part) => part);
}

// A link to a node opens it, and the group that it is in.
function openTarget() {
  const match = /^#(node|group)-(\d+)$/.exec(location.hash);
  if (!match) return;
  let box = byId(location.hash.slice(1));
  if (!box) {
    const node = state.nodes[Number(match[2])];
    const mates = node ? state.nodes.filter((each) => each.plain === node.plain) : [];
    const group = mates.length && byId(`group-${mates[0].index}`);
    if (group) { group.open = true; group.fill(mates.length); }
    box = byId(location.hash.slice(1)) || group || null;
  }
  if (!box) return;
  box.open = true;
  box.scrollIntoView({ block: "start" });
  box.querySelector("summary").focus({ preventScroll: true });
}
