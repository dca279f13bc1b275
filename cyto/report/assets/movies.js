// Pictures: channels in their colours, outlines of labels, a scrubber over the frames.
function drawMovies() {
  const movies = (state.pictures || {}).movies || [];
  if (!movies.length) return null;
  const stage = h("div", {});
  const show = (place) => replace(stage, movieViewer(movies[place]));
  const choice = movies.length > 1 && h("label", { class: "row small" }, "sample ",
    h("select", { id: "sample", onchange: (event) => show(Number(event.target.value)) },
      movies.map((movie, place) => h("option", { value: place }, movie.sample))));
  show(0);
  return section("pictures", "Pictures", choice && h("div", { style: { "margin-bottom": ".6rem" } }, choice), stage);
}

function movieViewer(movie) {
  const scale = Math.max(1, Math.round(512 / Math.max(movie.width, movie.height)));
  const side = Math.min(1, 640 / Math.max(movie.width, movie.height));
  const canvas = h("canvas", {
    width: Math.round(movie.width * (side < 1 ? side : scale)), height: Math.round(movie.height * (side < 1 ? side : scale)), role: "img",
  });
  const pictures = movie.layers.map((layer) => layer.data.map((data) => {
    const picture = new Image();
    picture.src = `data:${layer.type};base64,${data}`;
    return picture;
  }));
  const on = movie.layers.map((layer) => layer.on);
  const words = h("span", { class: "small", role: "status" });
  const slider = h("input", {
    type: "range", id: "scrubber", min: 0, max: movie.frames.length - 1, value: Math.min(state.frame || 0, movie.frames.length - 1), step: 1,
    "aria-label": "Frame", oninput: () => paint(),
  });
  let timer = null;
  const play = h("button", { onclick: () => (timer ? stop() : start()) }, "▶ Play");
  const start = () => {
    timer = setInterval(() => {
      slider.value = (Number(slider.value) + 1) % movie.frames.length;
      if (canvas.isConnected) paint(); else stop();
    }, 180);
    play.textContent = "❚❚ Stop";
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "▶ Play"; };
  let latest = 0;
  const paint = async () => {
    state.frame = Number(slider.value);
    const place = state.frame, turn = latest += 1;
    const wanted = pictures.map((list, i) => (on[i] ? list[place] : null));
    await Promise.all(wanted.map((picture) => picture && picture.decode().catch(() => null)));
    if (turn !== latest) return;
    compose(canvas, movie, wanted);
    const frame = movie.frames[place];
    const time = movie.interval_s ? ` · ${duration(frame * movie.interval_s)}` : "";
    words.textContent = `frame ${frame} of 0–${movie.count - 1}${time}`;
    canvas.setAttribute("aria-label", `${movie.sample} frame ${frame}: ${movie.layers.filter((_, i) => on[i]).map((layer) => layer.name).join(", ")}`);
    canvas.dataset.frame = frame;
  };
  const list = (kind) => movie.layers.map((layer, i) => (layer.kind !== kind ? null : h("li", {}, h("label", {},
    h("input", { type: "checkbox", checked: on[i], onchange: (event) => { on[i] = event.target.checked; paint(); } }),
    h("span", { class: layer.kind === "label" ? "chip ring" : "chip", style: layer.tint ? { "--tint": layer.tint } : {} }),
    layer.name,
    layer.kind === "image" && h("span", { class: "soft small" }, ` ${number(layer.range[0])}–${number(layer.range[1])}`)))));
  paint();
  const labels = movie.layers.some((layer) => layer.kind === "label");
  return h("div", { class: "movie" },
    h("div", {}, h("div", { class: "stage" }, canvas),
      h("div", { class: "controls" }, movie.frames.length > 1 && [play, slider], words)),
    h("div", {},
      h("h4", { style: { "margin-top": 0 } }, "Channels"), h("ul", { class: "layers" }, list("image")),
      labels && [h("h4", {}, "Outlines"), h("ul", { class: "layers" }, list("label")),
        h("p", { class: "soft small" }, "Each cell has a colour of its own; after tracking it keeps it from frame to frame.")],
      h("p", { class: "soft small" }, `${movie.width} × ${movie.height} px${movie.um ? `, ${number(movie.um)} µm per px` : ""}, ${many(movie.count, "frame")}. Made small for this page; measure in the files.`)));
}

function compose(canvas, movie, wanted) {
  const { width, height } = canvas, context = canvas.getContext("2d");
  context.globalCompositeOperation = "source-over";
  context.fillStyle = "#000";
  context.fillRect(0, 0, width, height);
  const alone = wanted.filter((picture, i) => picture && movie.layers[i].kind === "image").length === 1;
  wanted.forEach((picture, i) => {
    if (!picture || !picture.naturalWidth) return;
    if (movie.layers[i].kind === "label") {
      context.globalCompositeOperation = "source-over";
      context.imageSmoothingEnabled = picture.naturalWidth !== width;
      context.drawImage(picture, 0, 0, width, height);
      return;
    }
    context.imageSmoothingEnabled = true;
    context.globalCompositeOperation = "lighter";
    context.drawImage(alone ? picture : tinted(picture, movie.layers[i].tint, width, height), 0, 0, width, height);
  });
  context.globalCompositeOperation = "source-over";
  if (movie.um) scaleBar(context, movie, width, height);
}

function tinted(picture, tint, width, height) {
  const part = document.createElement("canvas");
  part.width = width;
  part.height = height;
  const context = part.getContext("2d");
  context.drawImage(picture, 0, 0, width, height);
  context.globalCompositeOperation = "multiply";
  context.fillStyle = tint;
  context.fillRect(0, 0, width, height);
  return part;
}

function scaleBar(context, movie, width, height) {
  const um = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((each) => each / movie.um < movie.width / 4).pop();
  if (!um) return;
  const length = (um / movie.um) * (width / movie.width);
  context.fillStyle = "#fff";
  context.fillRect(width - length - 14, height - 18, length, 4);
  context.font = "600 15px sans-serif";
  context.textAlign = "center";
  context.fillText(`${um} µm`, width - length / 2 - 14, height - 25);
}
