// Elements are made one by one and text is set as text: nothing that a user wrote is read as HTML.
const SVG = "http://www.w3.org/2000/svg";

function fill(element, options, children) {
  for (const [name, value] of Object.entries(options || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.setAttribute("class", value);
    else if (name === "style") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

const h = (tag, options, ...children) => fill(document.createElement(tag), options, children);
const s = (tag, options, ...children) => fill(document.createElementNS(SVG, tag), options, children);
const byId = (id) => document.getElementById(id);

function replace(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child));
  return element;
}

const SIGN = {
  succeeded: "✓", cached: "=", failed: "✗", skipped: "–", cancelled: "!", running: "▶",
  submitted: "⏳", waiting: "·", lost: "?", done: "✓", stopped: "!", mixed: "◐",
};
const WORD = {
  succeeded: "succeeded", cached: "done before", failed: "failed", skipped: "skipped",
  cancelled: "cancelled", running: "running", submitted: "in the cluster's queue",
  waiting: "waiting", lost: "lost with its driver", done: "Done", stopped: "Stopped",
};
const ORDER = ["failed", "lost", "cancelled", "skipped", "running", "submitted", "waiting", "succeeded", "cached"];

function duration(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds === 0) return "0 s";
  if (seconds < 0.095) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const [large, small, size, part] = whole < 3600 ? ["min", "s", 60, 1] : whole < 86400 ? ["h", "min", 3600, 60] : ["d", "h", 86400, 3600];
  const rest = Math.floor((whole % size) / part);
  return `${Math.floor(whole / size)} ${large}${rest ? ` ${rest} ${small}` : ""}`;
}

function memory(bytes) {
  if (!bytes) return "";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  while (bytes >= 1024 && place < 4) { bytes /= 1024; place += 1; }
  return `${bytes >= 10 || place === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[place]}`;
}

const number = (value) => (value === null ? "" : Number(value.toPrecision(4)).toLocaleString("en"));
const many = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more || `${one}s`}`;
const base = (path) => path.split("/").pop();

// The report lies in the output folder, and once more in the run's own folder three floors down.
const upward = decodeURIComponent(location.pathname).includes("/.cyto/runs/") ? "../../../" : "";
function fileLink(link, path) {
  if (!link || state.served) return h("code", {}, path);
  return h("a", { href: link.replace(/^\.\//, upward || "./"), title: path }, path);
}

function counted(nodes) {
  const counts = {};
  for (const node of nodes) counts[node.state] = (counts[node.state] || 0) + 1;
  return ORDER.filter((name) => counts[name]).map((name) => [name, counts[name]]);
}

function joint(nodes) {
  const kinds = counted(nodes);
  if (kinds.some(([name]) => name === "failed")) return "failed";
  if (kinds.length === 1) return kinds[0][0];
  const open = kinds.some(([name]) => ["running", "submitted", "waiting"].includes(name));
  if (open) return kinds.some(([name]) => name !== "waiting") ? "running" : "waiting";
  return kinds.every(([name]) => ["succeeded", "cached"].includes(name)) ? "succeeded" : kinds[0][0];
}

function place(node) {
  const where = node.environment === "baremetal" ? "bare metal" : node.environment;
  const image = node.image ? ` ${base(node.image)}` : "";
  return `${node.launcher === "local" ? "" : `${node.launcher}, `}${where}${image}`;
}

function groups(nodes, name) {
  const found = new Map();
  for (const node of nodes) {
    const key = name(node);
    if (!found.has(key)) found.set(key, []);
    found.get(key).push(node);
  }
  return found;
}
