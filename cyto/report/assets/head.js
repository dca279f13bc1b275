// What ran and how it ended; what failed.
function drawHead() {
  const run = state.run, nodes = state.nodes;
  const word = { running: "Running", failed: "Failed", lost: "Its driver was lost" }[run.state] || WORD[run.state];
  const ends = counted(nodes).map(([name, count]) =>
    h("span", { class: `pill ${name}` }, `${SIGN[name]} ${count} ${WORD[name]}`));
  const facts = [
    ["pipeline", base(run.pipeline)], ["started", run.started], ["took", duration(run.elapsed)],
    ["profile", run.profile], ["on", run.host], ["run", run.id],
    ["samples", Object.keys(run.samples).length || null], ["only", run.only.join(", ")],
  ];
  document.title = `${SIGN[run.state] || ""} ${run.title} · pyCyto`;
  replace(byId("head"),
    h("div", { class: "row" },
      h("h1", {}, run.title),
      h("span", { class: `pill ${run.state}`, id: "state", role: "status" }, `${SIGN[run.state] || ""} ${word}`),
      state.live && h("span", { class: "pill live", id: "live" }, "● live")),
    h("div", { class: "facts" }, facts.filter(([, value]) => value)
      .map(([name, value]) => h("span", {}, `${name} `, h("b", { id: name === "took" ? "took" : null }, value)))),
    h("div", { class: "row", style: { "margin-top": ".7rem" } }, ends));
}

function drawNav(parts) {
  replace(byId("nav"), h("ul", {}, parts.map(([id, title]) => h("li", {}, h("a", { href: `#${id}` }, title)))));
}

function section(id, title, ...children) {
  const heading = h("h2", { id: `${id}-title` }, title);
  const tools = children[0] instanceof Element && children[0].classList.contains("tools") ? children.shift() : null;
  return h("section", { id, "aria-labelledby": `${id}-title` }, tools ? h("div", { class: "title" }, heading, tools) : heading, children);
}

function drawFailures() {
  const bad = state.nodes.filter((node) => node.state === "failed" || node.state === "lost");
  const alike = groups(bad, (node) => `${node.plain}\n${plainMessage(node)}`);
  if (!bad.length) return null;
  const listed = [...alike.values()];
  const shown = listed.slice(0, 30);
  const skipped = state.nodes.filter((node) => node.state === "skipped").length;
  return section("failures", many(bad.length, "node") + " failed",
    skipped ? h("p", { class: "soft small" }, `${many(skipped, "node")} that ${skipped === 1 ? "needs" : "need"} them did not run.`) : null,
    shown.map(failure),
    listed.length > shown.length && h("p", { class: "soft" }, `… and ${listed.length - shown.length} more; see the nodes below.`));
}

const plainMessage = (node) => (node.sample ? node.message.split(`${node.sample}/`).join("") : node.message);

function failure(nodes) {
  const node = nodes[0], detail = state.details[node.index] || {};
  const samples = nodes.map((each) => each.sample).filter((name) => name);
  const told = node.message || (node.state === "lost" ? "it ran when the driver was lost; 'cyto wait' goes on with it" : "no message");
  const log = detail.log || {};
  return h("div", { class: "failure" },
    h("h3", {}, h("a", { href: `#node-${node.index}` }, nodes.length > 1 ? `${node.plain} (${nodes.length} ×)` : node.name),
      h("span", { class: "soft" }, ` · ${node.task} · ${place(node)}`)),
    h("p", { class: "message" }, told),
    samples.length > 1 && h("p", { class: "soft small" }, `samples: ${samples.slice(0, 12).join(", ")}${samples.length > 12 ? ` and ${samples.length - 12} more` : ""}`),
    log.text ? h("details", { open: state.nodes.length < 50 }, h("summary", {}, "Last lines of its log"), h("pre", { tabindex: 0 }, log.text.split("\n").slice(-25).join("\n").trim())) : null,
    detail.traceback && h("details", {}, h("summary", {}, "Traceback"), h("pre", { tabindex: 0 }, detail.traceback)),
    detail.command && h("details", {}, h("summary", {}, "Run it again by hand"), h("pre", { class: "command", tabindex: 0 }, detail.command)));
}

function drawFigures() {
  const figures = (state.found || {}).figures || [];
  if (!figures.length) return null;
  return h("div", { class: "figures", id: "figures" }, figures.map((figure) =>
    h("div", { class: "card figure" },
      h("div", { class: `value${/^[^0-9]/.test(figure.value) ? " words" : ""}` }, figure.value), h("div", { class: "label" }, figure.label),
      figure.note && h("div", { class: "note" }, figure.note))));
}
