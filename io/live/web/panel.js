// Latency and health in figures.

const STAGE_WORDS = { venue_to_recv: "venue → socket", recv_to_publish: "socket → record" };
const words = (name) => name.replaceAll("_", " ");

class Panel {
  constructor(root, body) {
    this.tiles = make("div", "rb-tiles");
    this.stages = make("table", "rb-stages");
    this.spark = make("div", "rb-spark");
    this.totals = make("div", "rb-totals");
    this.symbols = make("div", "rb-symbols");
    body.classList.add("rb-panel");
    body.append(this.tiles, this.stages, this.spark, this.totals, this.symbols);
    this.chart = new Chart(root, this.spark, paintSpark);
  }

  show(frame) {
    const rate = (name) => (frame.rates[name] === null ? "–" : compact(frame.rates[name]));
    fill(this.tiles, ["frames", "records", "trades", "levels", "bytes"].map((name) => tile(rate(name), `${name}/s`)));
    const head = make("tr");
    head.append(...["", "p50", "p99", "p99.9"].map((text) => make("th", "", text)));
    fill(this.stages, [head, ...Object.entries(frame.stages).map(([name, found]) => {
      const row = make("tr");
      const texts = found ? found.map(micros) : ["–", "–", "–"];
      row.append(make("th", "", STAGE_WORDS[name] || name), ...texts.map((text) => make("td", "", text)));
      return row;
    })]);
    this.stages.title = `upper bounds, counted over the last ${frame.seconds.toFixed(0)} s`;
    this.chart.show(frame);
    const counts = Object.entries(frame.totals).map(([name, count]) => make("span", count ? "rb-counted" : "", `${words(name)} ${count}`));
    fill(this.totals, counts);
    const chips = frame.symbols.map(([symbol, health]) => {
      const chip = make("span", "rb-chip", symbol);
      chip.dataset.health = health;
      if (health !== "LIVE") chip.append(make("b", "", ` ${health}`));
      return chip;
    });
    if (frame.symbols_left_out) chips.push(make("span", "", `and ${frame.symbols_left_out} more, LIVE or after these`));
    fill(this.symbols, chips);
  }

  close() {
    this.chart.close();
  }
}

function fill(node, children) {
  node.replaceChildren(...children);
}

function tile(value, name) {
  const node = make("div", "rb-tile");
  node.append(make("b", "", value), make("span", "", name));
  return node;
}

// p50 and p99 from socket to record, look by look.
function paintSpark(pen, size, frame, inks) {
  const box = { left: 4, top: 6, right: size.width - 52, bottom: size.height - 6 };
  const { trend_p50: p50, trend_p99: p99 } = frame, known = [...p99].filter((one) => !Number.isNaN(one));
  if (!known.length) return note(pen, box, inks, "no records yet");
  const high = Math.max(...known) * 1.1, y = scaleOf(0, high, box.bottom, box.top);
  const x = scaleOf(0, Math.max(p50.length, 2), box.left, box.right);
  levelAxis(pen, box, inks, 0, high, y, (tick) => `${compact(tick)} µs`, 2);
  pen.lineWidth = 1.5;
  pen.strokeStyle = inks.warn;
  lineThrough(pen, p99, x, y, false);
  pen.strokeStyle = inks.ink;
  lineThrough(pen, p50, x, y, false);
  return "latency from socket to record";
}
