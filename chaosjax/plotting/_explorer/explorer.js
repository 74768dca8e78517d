"use strict";
// Draws what the page holds: numbers over an axis, the curves of one cell, a map over two axes.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  data.time = floats(data.time);
  for (const curve of data.curves) curve.values = floats(curve.values);
  for (const number of data.numbers) {
    number.values = floats(number.values);
    number.interval = floats(number.interval);
  }
  const seeded = data.axes.some((axis) => axis.name === "seed");
  const grid = data.axes.filter((axis) => axis.name !== "seed");
  const seeds = seeded ? data.axes[data.axes.length - 1] : { values: [0], kept: [0], label: "run" };
  const colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"];
  const diverging = [[0, "#0072B2"], [0.5, "#ffffff"], [1, "#D55E00"]];
  const settings = { responsive: true, displaylogo: false };

  // What is chosen: an entry of each axis but seeds, the axis to the right, the axes and the quantity of the map.
  const state = {
    at: grid.map((axis) => Math.floor(axis.values.length / 2)),
    x: Math.max(0, grid.findIndex((axis) => axis.name === "learning_rate")),
  };

  const withUnits = (quantity) => quantity.label + (quantity.units ? ` (${quantity.units})` : "");
  const units = (quantity) => (quantity.units ? ` ${quantity.units}` : "");
  const wrapped = (text) => text.replace(/(.{14,26}?) /g, "$1<br>");
  const finite = (values) => Array.from(values).filter(Number.isFinite);
  const spans = (values) => {
    const known = finite(values);
    return known.length > 1 && known.every((v) => v > 0) && Math.max(...known.slice(0, 1e5)) > 20 * Math.min(...known.slice(0, 1e5));
  };
  const isNumeric = (axis) => axis.values.every((v) => typeof v === "number");
  const axisType = (axis) => (!isNumeric(axis) ? "category" : spans(axis.values) ? "log" : "linear");
  const said = (value) => (typeof value === "number" ? String(+value.toPrecision(4)) : value);

  function place(entries, sizes) {
    return entries.reduce((flat, entry, i) => flat * sizes[i] + entry, 0);
  }
  const gridSizes = grid.map((axis) => axis.values.length);
  const keptSizes = grid.map((axis) => axis.kept.length);

  function intervalAt(number, at) {
    const first = 3 * place(at, gridSizes);
    return number.interval.subarray(first, first + 3);
  }
  function nearestKept(axis, entry) {
    return axis.kept.reduce((best, kept, i) => (Math.abs(kept - entry) < Math.abs(axis.kept[best] - entry) ? i : best), 0);
  }
  function curveOf(curve, keptAt, seed) {
    const first = (place(keptAt, keptSizes) * seeds.kept.length + seed) * data.time.length;
    return curve.values.subarray(first, first + data.time.length);
  }
  const shownCell = () => grid.map((axis, i) => nearestKept(axis, state.at[i]));

  function stacked(panels, xTitle, xType) {
    const height = 170 * panels.length + 90;
    const layout = {
      height, margin: { l: 85, r: 15, t: 15, b: 55 }, showlegend: false, hovermode: "closest",
      paper_bgcolor: "white", plot_bgcolor: "white",
      xaxis: { title: { text: xTitle }, type: xType, gridcolor: "#e5e5e5", anchor: panels.length > 1 ? `y${panels.length}` : "y" },
    };
    panels.forEach((panel, i) => {
      const share = 1 / panels.length;
      layout[i ? `yaxis${i + 1}` : "yaxis"] = {
        domain: [1 - (i + 1) * share + (i < panels.length - 1 ? 0.025 : 0), 1 - i * share],
        title: { text: wrapped(withUnits(panel.quantity)), font: { size: 11 } },
        type: panel.log ? "log" : "linear", exponentformat: "power", gridcolor: "#e5e5e5", zerolinecolor: "#777",
      };
    });
    return layout;
  }

  function drawOverview() {
    const axis = grid[state.x];
    const chosen = data.numbers.filter((_, i) => overviewShown.has(i));
    const entries = axis.values.map((_, i) => state.at.map((at, j) => (j === state.x ? i : at)));
    const panels = chosen.map((number) => {
      const bounds = entries.map((at) => intervalAt(number, at));
      return { quantity: number, bounds, log: number.units !== "nats/step" && spans(bounds.map((b) => b[0])) };
    });
    const traces = [];
    panels.forEach(({ quantity, bounds }, i) => {
      const colour = colours[i % colours.length];
      const common = { x: axis.values, yaxis: `y${i ? i + 1 : ""}`, xaxis: "x" };
      const edge = { ...common, mode: "lines", line: { width: 0 }, hoverinfo: "skip" };
      traces.push({ ...edge, y: bounds.map((b) => b[1]) });
      traces.push({ ...edge, y: bounds.map((b) => b[2]), fill: "tonexty", fillcolor: colour + "33" });
      traces.push({
        ...common, y: bounds.map((b) => b[0]), mode: "lines+markers", line: { color: colour }, marker: { size: 7 },
        customdata: bounds.map((b) => [b[1], b[2]]),
        hovertemplate: `${axis.label} = %{x:.4g}<br>${quantity.label}: %{y:.4g} [%{customdata[0]:.4g}, %{customdata[1]:.4g}]${units(quantity)}<extra></extra>`
          .replace("%{x:.4g}", isNumeric(axis) ? "%{x:.4g}" : "%{x}"),
      });
      if (axis.name === "learning_rate" && /^sharpness_last$/.test(quantity.name)) {
        traces.push({ ...common, y: axis.values.map((eta) => 2 / eta), mode: "lines", line: { color: "#000", dash: "dot", width: 1 }, hovertemplate: "2/η = %{y:.4g}<extra></extra>" });
      }
    });
    const layout = stacked(panels, axis.label, axisType(axis));
    layout.shapes = [{ type: "line", xref: "x", yref: "paper", x0: axis.values[state.at[state.x]], x1: axis.values[state.at[state.x]], y0: 0, y1: 1, line: { color: "#777", dash: "dash", width: 1 } }];
    return Plotly.react("overview", traces, layout, settings).then((figure) => {
      figure.removeAllListeners("plotly_click");
      figure.on("plotly_click", (event) => {
        state.at[state.x] = axis.values.indexOf(event.points[0].x);
        drawAll();
      });
    });
  }

  function drawCurves() {
    const at = shownCell();
    const panels = data.curves.filter((_, i) => curvesShown.has(i)).map((curve) => {
      const lines = seeds.kept.map((_, seed) => curveOf(curve, at, seed));
      return { quantity: curve, lines, log: lines.some((line) => finite(line).length) && lines.every((line) => finite(line).every((v) => v > 0)) && spans(lines.flatMap((line) => Array.from(line))) };
    });
    const traces = [];
    panels.forEach(({ quantity, lines }, i) => {
      lines.forEach((line, seed) => {
        const known = Array.from(line.keys()).filter((t) => !Number.isNaN(line[t]));
        const name = `${seeds.label} ${seeds.values[seeds.kept[seed]]}`;
        traces.push({
          x: known.map((t) => data.time[t]), y: known.map((t) => line[t]), yaxis: `y${i ? i + 1 : ""}`, xaxis: "x",
          mode: known.length < 25 ? "lines+markers" : "lines", marker: { size: 5 },
          line: { color: colours[seed % colours.length], width: 1.2 }, opacity: 0.85, name,
          hovertemplate: `t = %{x} steps<br>${quantity.label}: %{y:.4g}${units(quantity)}<br>${name}<extra></extra>`,
        });
      });
    });
    const chosen = grid.map((axis, i) => `${axis.label} = ${said(axis.values[axis.kept[at[i]]])}`).join(", ");
    const near = grid.some((axis, i) => axis.kept[at[i]] !== state.at[i]);
    document.getElementById("cell").textContent =
      `${chosen || "The run"}: ${seeds.kept.length} of ${seeds.values.length} seeds${near ? " (the nearest cell held here)" : ""}`;
    return Plotly.react("curves", traces, stacked(panels, "time t (steps)", "linear"), settings);
  }

  const mapAxes = [...data.axes, { name: "time", label: "time t (steps)", values: Array.from(data.time) }];
  const mapState = { x: mapAxes.length - 1, y: grid.length ? state.x : 0, quantity: 0 };
  if (grid.length > 1) mapState.x = grid.findIndex((_, i) => i !== state.x);

  function mapValues() {
    const [xAxis, yAxis] = [mapAxes[mapState.x], mapAxes[mapState.y]];
    const overTime = xAxis.name === "time" || yAxis.name === "time";
    const quantities = overTime ? data.curves : data.numbers;
    const quantity = quantities[Math.min(mapState.quantity, quantities.length - 1)];
    const entriesOf = (axis) => (overTime && axis.name !== "time" ? axis.kept : axis.values.map((_, i) => i));
    const [columns, rows] = [entriesOf(xAxis), entriesOf(yAxis)];
    const seedMapped = xAxis.name === "seed" || yAxis.name === "seed";
    const z = rows.map((_, row) => columns.map((_, column) => {
      const entry = { [xAxis.name]: column, [yAxis.name]: row };
      const at = grid.map((axis, i) => entry[axis.name] ?? (overTime ? nearestKept(axis, state.at[i]) : state.at[i]));
      if (!overTime && !seedMapped) return intervalAt(quantity, at)[0];
      const count = overTime ? seeds.kept.length : seeds.values.length;
      const chosen = seedMapped ? [entry.seed] : [...Array(count).keys()];
      const read = (seed) => overTime ? curveOf(quantity, at, seed)[entry.time] : quantity.values[place(at, gridSizes) * count + seed];
      return chosen.reduce((sum, seed) => sum + read(seed), 0) / chosen.length;
    }));
    return { xAxis, yAxis, quantities, quantity, seedMapped, z, x: columns.map((i) => xAxis.values[i]), y: rows.map((i) => yAxis.values[i]) };
  }

  function drawMap() {
    const { xAxis, yAxis, quantity, seedMapped, z, x, y } = mapValues();
    const known = finite(z.flat()).sort((a, b) => a - b);
    const most = Math.max(Math.abs(known[Math.floor(0.01 * known.length)] ?? 0), Math.abs(known[Math.floor(0.99 * known.length)] ?? 0)) || 1;
    const signed = known.length && known[0] < 0;
    const logged = !signed && spans(known);
    const shown = logged ? z.map((row) => row.map((v) => (v > 0 ? Math.log10(v) : NaN))) : z;
    const bar = `${logged ? "log₁₀ " : ""}${withUnits(quantity)}${seedMapped ? "" : ", mean over seeds"}`;
    const trace = {
      type: "heatmap", x, y, z: shown, text: z.map((row) => row.map((v) => v.toPrecision(4))),
      colorscale: signed ? diverging : "Viridis", colorbar: { title: { text: wrapped(bar), side: "right", font: { size: 11 } } },
      ...(signed ? { zmin: -most, zmax: most } : {}),
      hovertemplate: `${xAxis.label} = %{x}<br>${yAxis.label} = %{y}<br>${quantity.label}: %{text}${units(quantity)}<extra></extra>`,
    };
    const layout = {
      height: 440, margin: { l: 75, r: 15, t: 15, b: 55 },
      xaxis: { title: { text: xAxis.label }, type: axisType(xAxis), exponentformat: "power" }, yaxis: { title: { text: yAxis.label }, type: axisType(yAxis), exponentformat: "power" },
    };
    if (xAxis.name === "time") layout.xaxis.type = "linear";
    if (yAxis.name === "time") layout.yaxis.type = "linear";
    return Plotly.react("map", [trace], layout, settings);
  }

  function chooser(box, label, options, chosen, change) {
    const list = document.createElement("select");
    options.forEach((text, i) => list.add(new Option(text, i, i === chosen, i === chosen)));
    list.value = chosen;
    list.addEventListener("change", () => change(Number(list.value)));
    const tag = document.createElement("label");
    tag.append(`${label} `, list);
    box.append(tag);
  }
  function ticks(box, quantities, shown, redraw) {
    quantities.forEach((quantity, i) => {
      const tick = Object.assign(document.createElement("input"), { type: "checkbox", checked: shown.has(i) });
      tick.addEventListener("change", () => (tick.checked ? shown.add(i) : shown.delete(i), redraw()));
      const tag = document.createElement("label");
      tag.append(tick, ` ${quantity.name.replaceAll("_", " ")}`);
      box.append(tag);
    });
  }
  function saver(box, name, rows) {
    const button = Object.assign(document.createElement("button"), { textContent: "Save data (CSV)", type: "button" });
    button.addEventListener("click", () => {
      const text = rows().map((row) => row.map((v) => (typeof v === "string" && /[",]/.test(v) ? `"${v.replaceAll('"', '""')}"` : v)).join(",")).join("\n");
      const link = Object.assign(document.createElement("a"), { download: name, href: URL.createObjectURL(new Blob([text + "\n"], { type: "text/csv" })) });
      link.click();
      URL.revokeObjectURL(link.href);
    });
    box.append(button);
  }

  const overviewRows = () => {
    const axis = grid[state.x];
    const chosen = data.numbers.filter((_, i) => overviewShown.has(i));
    const head = [axis.name, ...chosen.flatMap((n) => [n.name, `${n.name}_low`, `${n.name}_high`])];
    return [head, ...axis.values.map((value, i) => {
      const at = state.at.map((entry, j) => (j === state.x ? i : entry));
      return [value, ...chosen.flatMap((number) => Array.from(intervalAt(number, at)))];
    })];
  };
  const curveRows = () => {
    const at = shownCell();
    const chosen = data.curves.filter((_, i) => curvesShown.has(i));
    const rows = [["seed", "time", ...chosen.map((curve) => curve.name)]];
    seeds.kept.forEach((entry, seed) => data.time.forEach((t, i) => {
      rows.push([seeds.values[entry], t, ...chosen.map((curve) => curveOf(curve, at, seed)[i])]);
    }));
    return rows;
  };
  const mapRows = () => {
    const { xAxis, yAxis, quantity, z, x, y } = mapValues();
    return [[xAxis.name, yAxis.name, quantity.name], ...z.flatMap((row, j) => row.map((v, i) => [x[i], y[j], v]))];
  };

  // At first the exponents, the training time and the sharpness; what else there is can be ticked.
  const few = (quantities, pattern, most) => {
    const first = quantities.map((q, i) => (pattern.test(q.name) ? i : -1)).filter((i) => i >= 0).slice(0, most);
    return new Set(first.length ? first : quantities.slice(0, most).map((_, i) => i));
  };
  const overviewShown = few(data.numbers, /steepest|whole_run|training_time|sharpness/, 5);
  const curvesShown = few(data.curves, /distance|growth|loss|accuracy|sharpness/, 6);

  function drawControls() {
    const [overview, curves, map] = ["overview", "curves", "map"].map((name) => document.getElementById(`${name}-controls`));
    for (const box of [overview, curves, map]) box.replaceChildren();
    if (grid.length > 1) chooser(overview, "over", grid.map((axis) => axis.label), state.x, (i) => { state.x = i; drawAll(); });
    grid.forEach((axis, i) => {
      const change = (entry) => { state.at[i] = entry; drawAll(); };
      chooser(i === state.x ? curves : overview, `${axis.label} =`, axis.values.map(said), state.at[i], change);
    });
    ticks(overview, data.numbers, overviewShown, drawOverview);
    ticks(curves, data.curves, curvesShown, drawCurves);
    const { quantities, quantity } = mapValues();
    chooser(map, "of", quantities.map((q) => q.label), quantities.indexOf(quantity), (i) => { mapState.quantity = i; drawMap(); });
    const labels = mapAxes.map((axis) => axis.label);
    const swap = (name, other) => (i) => {
      if (mapState[other] === i) mapState[other] = mapState[name];
      mapState[name] = i;
      mapState.quantity = 0;
      drawControls();
      drawMap();
    };
    chooser(map, "x", labels, mapState.x, swap("x", "y"));
    chooser(map, "y", labels, mapState.y, swap("y", "x"));
    saver(overview, "over_axis.csv", overviewRows);
    saver(curves, "cell.csv", curveRows);
    saver(map, "map.csv", mapRows);
  }
  function drawAll() {
    drawControls();
    return Promise.all([drawOverview(), drawCurves(), drawMap()]);
  }

  document.getElementById("note").textContent = data.note;
  document.getElementById("provenance").textContent = data.provenance;
  drawAll().then(() => { document.body.dataset.drawn = Math.round(performance.now()); });
  window.explorer = { data, state, drawAll, curveRows, overviewRows };
})();
