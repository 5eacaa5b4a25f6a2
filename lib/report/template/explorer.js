// The sampler explorer. The page holds next-token probabilities at some places of some texts; this script draws what
// temperature, top-k and top-p make of them. It fetches nothing. Without it the explorer stays hidden.

// The probability of each listed token at a temperature. The page holds the probability `rest` of all tokens that are not
// listed at this temperature, so the others share what is left, in proportion to p ** (1 / temperature).
// `logs`: natural logarithms of the probabilities at temperature 1, falling.
function chancesAt(logs, rest, temperature) {
  const weights = logs.map((log) => Math.exp((log - logs[0]) / temperature));
  const all = weights.reduce((sum, one) => sum + one, 0);
  return weights.map((one) => ((1 - rest) * one) / all);
}

// What is left to draw from, as in KerasHub: top-k keeps the k most probable tokens. Top-p keeps a token if those before it
// have p or less in all, so the most probable one always stays. Infinity as k, and 1 as p, keep everything.
// Returns for each listed token whether it is kept, the probability that is kept of the tokens not listed, and of all.
function keptBy(chances, rest, k, p) {
  let before = 0;
  let total = 0;
  const kept = chances.map((chance, place) => {
    const keep = place < k && (place === 0 || p >= 1 || before <= p);
    before += chance;
    total += keep ? chance : 0;
    return keep;
  });
  // Where top-p goes on beyond the listed tokens, it stops within one token of p.
  const others = k > chances.length ? (p >= 1 ? rest : Math.min(rest, Math.max(0, p - before))) : 0;
  return { kept, others, total: total + others };
}

// One of several numbers at random, in proportion to the weights.
function drawOne(weights) {
  let left = Math.random() * weights.reduce((sum, one) => sum + one, 0);
  return weights.findIndex((one) => (left -= one) < 0);
}

function percent(share) {
  const value = 100 * share;
  if (value > 0 && value < 0.001) return "< 0.001";
  return `${value === 0 || value === 100 ? value : value.toPrecision(value < 0.995 ? 2 : value < 99.95 ? 3 : 4)}`;
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

function startExplorer(box) {
  const ROWS = 20;
  const DRAWS = 10;
  const K = [1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, Infinity]; // the stops of the slider
  const data = JSON.parse(box.querySelector("script").textContent);
  const part = (name) => box.querySelector(`[data-part="${name}"]`);
  const make = (name, text, kind) => {
    const made = document.createElement(name);
    made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const stops = K.filter((k) => k <= data.most || k === Infinity);
  let weights = [];
  let best = [];

  data.texts.forEach((text, number) => part("text").add(new Option(text.name, number)));
  part("k").max = stops.length - 1;
  part("k").value = stops.length - 1;
  part("temperature").max = data.temperatures.length - 1;
  part("temperature").value = data.temperatures.indexOf(1);

  // The value of a slider, beside it and for screen readers.
  function show(name, value) {
    part(name).setAttribute("aria-valuetext", value);
    part(`${name}-value`).textContent = value;
  }

  function update() {
    const text = data.texts[part("text").value];
    part("position").max = text.best.length - 1;
    const place = Number(part("position").value);
    const number = Number(part("temperature").value);
    const temperature = data.temperatures[number];
    const k = stops[part("k").value];
    const p = Number(part("p").value);
    show("position", fill(data.say.place, { place: place + 1, places: text.best.length }));
    show("temperature", temperature.toFixed(1));
    show("k", k === Infinity ? data.say.off : String(k));
    show("p", p >= 1 ? data.say.off : p.toFixed(2));

    const soFar = [make("b", text.prompt), make("span", text.written.slice(0, place).join("")), make("mark", " [?] ")];
    part("so-far").replaceChildren(...soFar);
    const written = { token: data.vocabulary[text.tokens[place]], rank: text.ranks[place] };
    part("written").textContent = fill(data.say.written, written);

    let log = 0;
    const logs = text.fall[place].map((fall) => (log -= fall / 1000));
    const rest = text.rest[place][number];
    const chances = chancesAt(logs, rest, temperature);
    const { kept, others, total } = keptBy(chances, rest, k, p);
    best = text.best[place];
    weights = [...chances.map((chance, one) => (kept[one] ? chance : 0)), others];
    drawRows(text.tokens[place], chances, kept, total, rest, others);
    const cut = total > 1 - 1e-6 ? 0 : 1 - total; // the sum of many probabilities is not exactly 1
    const told = { count: kept.filter(Boolean).length, most: best.length, cut: `${percent(cut)}${data.percent}` };
    part("kept").textContent = fill(others > 0 ? data.say.beyond : data.say.kept, told);
    part("drawn").textContent = "";
  }

  // A row for each of the most probable tokens, one for the other listed ones, and one for all others.
  function drawRows(writtenToken, chances, kept, total, rest, others) {
    const rows = best.slice(0, ROWS).map((token, one) => {
      const share = kept[one] ? chances[one] / total : null;
      return row(data.vocabulary[token], share, chances[one], token === writtenToken);
    });
    const further = chances.slice(ROWS);
    const left = further.reduce((sum, one, place) => sum + (kept[ROWS + place] ? one : 0), others);
    const whole = further.reduce((sum, one) => sum + one, rest);
    if (whole > 0) rows.push(row(fill(data.say.others, { most: ROWS }), left > 0 ? left / total : null, whole, false));
    part("rows").replaceChildren(...rows);
  }

  // `share`: the chance to be drawn; null for what is cut off, whose bar shows the probability that it had.
  function row(name, share, chance, isWritten) {
    const made = make("tr", "", share === null ? "cut" : "");
    const bar = make("span", "", "bar");
    bar.style.width = `${100 * (share === null ? chance : share)}%`;
    const heading = make("th", "");
    heading.scope = "row";
    heading.append(make(isWritten ? "mark" : "span", name));
    const told = make("td", share === null ? data.say.row_cut : `${percent(share)}${data.percent}`, "number");
    const cell = make("td", "", "bars");
    cell.append(bar);
    made.append(heading, cell, told);
    return made;
  }

  part("draw").addEventListener("click", () => {
    const tokens = Array.from({ length: DRAWS }, () => {
      const one = drawOne(weights);
      return one < best.length && one >= 0 ? data.vocabulary[best[one]] : data.say.other;
    });
    part("drawn").textContent = fill(data.say.drawn, { tokens: tokens.join("  ") });
  });
  for (const name of ["text", "position", "temperature", "k", "p"]) part(name).addEventListener("input", update);
  update();
  box.hidden = false;
}

for (const box of document.querySelectorAll(".explorer[hidden]")) startExplorer(box);
