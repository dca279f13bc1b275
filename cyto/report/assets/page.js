// The page is drawn from its data, at once, and again in parts when a live run changes them.
const state = { live: false, served: false, run: null, nodes: [], details: {}, graph: null, found: null, pictures: null, about: null };

function take(parts) {
  const changed = new Set();
  for (const [name, value] of Object.entries(parts)) {
    const [kind, index] = name.split(":");
    changed.add(kind);
    if (kind === "node") state.nodes[Number(index)] = { ...value, index: Number(index) };
    else if (kind === "detail") state.details[Number(index)] = value;
    else state[kind] = value;
  }
  return changed;
}

// One place for each part, so that it can be replaced; a part with nothing to say is left out.
const PARTS = [
  ["failures", "Failures", drawFailures, ["node", "detail"]],
  ["figures", "", drawFigures, ["found"]],
  ["graph", "Graph", drawGraph, ["graph"]],
  ["pictures", "Pictures", drawMovies, ["pictures"]],
  ["found", "Plots", drawPlots, ["found"]],
  ["time", "Time", drawTime, ["node", "run"]],
  ["ask", "Resources", drawAsk, ["node"]],
  ["nodes", "Nodes", drawNodes, []],
  ["about", "About", drawAbout, ["run", "about"]],
];

function draw(changed) {
  drawHead();
  for (const [id, , make, from] of PARTS) {
    const slot = byId(`slot-${id}`);
    if (changed && !from.some((kind) => changed.has(kind))) continue;
    if (changed && id === "failures" && slot.dataset.shown === badOnes()) continue;  // what is open stays open
    const lanes = slot.querySelector(".lanes"), at = lanes ? lanes.scrollTop : 0;
    const part = make();
    replace(slot, part);
    slot.hidden = !part;
    if (id === "failures") slot.dataset.shown = badOnes();
    if (at) slot.querySelector(".lanes").scrollTop = at;
  }
  byId("main").classList.toggle("both", !byId("slot-pictures").hidden && !byId("slot-found").hidden);
  drawNav(PARTS.filter(([id, title]) => title && !byId(`slot-${id}`).hidden).map(([id, title]) => [id, title]));
  if (changed && changed.has("node")) { updateGraph(); updateNodes(); }
}

const badOnes = () => state.nodes.filter((node) => ["failed", "lost", "skipped"].includes(node.state)).map((node) => node.index).join();

function updateNodes() {
  for (const box of document.querySelectorAll("#nodelist details")) if (box.update) box.update();
}

function drawAbout() {
  const run = state.run, machine = run.machine || {};
  const places = (state.about || []).map((each) => h("tr", {},
    h("td", {}, each.environment, each.image && [h("br", {}), h("code", {}, each.image)]),
    h("td", {}, h("code", {}, each.identity)),
    h("td", {}, Object.entries(each.versions).map(([name, version]) => `${name} ${version}`).join(", ")),
    h("td", {}, each.nodes.slice(0, 12).join(", "), each.nodes.length > 12 && ` and ${each.nodes.length - 12} more`)));
  const samples = Object.entries(run.samples);
  const conditions = [...new Set(samples.flatMap(([, given]) => Object.keys(given)))];
  return section("about", "How it was made",
    h("div", { class: "two" },
      h("div", {}, h("h4", {}, "Run"), rowsOf([
        ["pyCyto", run.version], ["pipeline", h("code", {}, run.pipeline)], ["resources", run.resources && h("code", {}, run.resources)],
        ["profile", `${run.profile}${run.profile_reason ? ` (${run.profile_reason})` : ""}`], ["output", h("code", {}, run.output_dir)], ["working folder", h("code", {}, run.folder)]])),
      h("div", {}, h("h4", {}, "Machine"), rowsOf([
        ["host", run.host], ["system", machine.system], ["cpus", machine.cpus], ["memory", memory(machine.memory_bytes)],
        ["GPUs", (machine.gpu_ids || []).length || "none"], ["Python", machine.python]]))),
    run.command && [h("h4", {}, "Command"), h("pre", { class: "command", tabindex: 0 }, run.command)],
    run.channels.length > 0 && [h("h4", {}, "Channels"), h("div", { class: "scroll wide", tabindex: 0, role: "region", "aria-label": "Channels, scrolls", style: { "max-height": "20rem" } }, h("table", {}, h("tbody", {}, run.channels.slice(0, 200).map((channel) =>
      h("tr", {}, h("td", {}, channel.name), h("td", {}, channel.shape), h("td", {}, channel.pixel_size_um ? `${number(channel.pixel_size_um)} µm` : ""), h("td", {}, channel.frame_interval_s ? `every ${duration(channel.frame_interval_s)}` : ""), h("td", {}, h("code", {}, channel.path)))))))],
    samples.length > 0 && [h("h4", {}, "Samples"), h("div", { class: "scroll", style: { "max-height": "20rem" } }, h("table", {},
      h("thead", {}, h("tr", {}, h("th", {}, "sample"), conditions.map((name) => h("th", {}, name)))),
      h("tbody", {}, samples.slice(0, 400).map(([name, given]) => h("tr", {}, h("td", {}, name), conditions.map((key) => h("td", {}, String(given[key] ?? ""))))))))],
    places.length > 0 && [h("h4", {}, "Environments"), h("div", { class: "scroll wide", tabindex: 0, role: "region", "aria-label": "Environments, scrolls" }, h("table", {},
      h("thead", {}, h("tr", {}, ["environment", "identity", "versions", "nodes"].map((title) => h("th", {}, title)))), h("tbody", {}, places)))],
    run.notes.length > 0 && [h("h4", {}, "Left out of this page"), h("ul", { class: "small soft" }, run.notes.map((note) => h("li", {}, note)))]);
}

function begin(parts) {
  take(parts);
  replace(byId("main"), PARTS.map(([id]) => h("div", { id: `slot-${id}` })));
  draw(null);
  replace(byId("foot"), `Made by pyCyto ${state.run.version}. `, "Everything on this page comes from the run's record.");
  openTarget();
}

function followRun() {
  state.live = state.served = true;
  const source = new EventSource("events");
  source.addEventListener("page", (event) => begin(JSON.parse(event.data)));
  source.addEventListener("change", (event) => draw(take(JSON.parse(event.data))));
  setInterval(() => {
    const took = byId("took");
    if (!state.live || !took || state.run.state !== "running") return;
    state.run.elapsed = Math.max(state.run.elapsed, Date.now() / 1000 - state.run.start);
    took.textContent = duration(state.run.elapsed);
  }, 1000);
  source.addEventListener("end", () => { source.close(); state.live = false; drawHead(); });
  source.addEventListener("fault", (event) => { const pill = byId("live"); if (pill) pill.textContent = JSON.parse(event.data); });
  source.onerror = () => { const pill = byId("live"); if (pill) pill.textContent = "○ no connection"; };
}

window.addEventListener("hashchange", openTarget);
const given = JSON.parse(byId("data").textContent);
if (given) begin(given); else followRun();
