// What all views share: the head with its health, whether somebody looks, and the talk with the kernel.

const PAINTS = { price: paintPrice, flow: paintFlow, depth: paintDepth, heat: paintHeat };
const LEGENDS = {
  price: [["ink", "mid"], ["micro", "microprice"], ["bid", "bought"], ["ask", "sold"]],
  flow: [["micro", "running sum"], ["bid", "buyers"], ["ask", "sellers"]],
  depth: [["bid", "bids"], ["ask", "asks"]],
  heat: [["bid", "best bid"], ["ask", "best ask"]],
  panel: [["ink", "p50"], ["warn", "p99"]],
  ladder: [],
};
const NAMES = { price: "price", flow: "order flow", depth: "depth", heat: "book through time", ladder: "ladder", panel: "latency and health" };
const SILENT_MS = 3000;
const TELL_EVERY = 4; // frames drawn between two words to the kernel, which waits after 8

class Shell {
  constructor(model, el) {
    this.model = model;
    this.kind = model.get("kind");
    this.id = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    this.isShown = false;
    this.isSeen = false;
    this.state = "";
    this.heardMs = 0;
    this.build(el);
    const paint = PAINTS[this.kind], Made = { ladder: Ladder, panel: Panel }[this.kind];
    this.picture = paint ? new Chart(this.root, this.body, paint) : new Made(this.root, this.body);
    this.onMessage = (content, buffers) => this.hear(content, buffers);
    model.on("msg:custom", this.onMessage);
    this.watcher = new IntersectionObserver((entries) => {
      this.isSeen = entries[entries.length - 1].isIntersecting;
      this.look();
    });
    this.watcher.observe(this.root);
    this.onVisible = () => this.look();
    document.addEventListener("visibilitychange", this.onVisible);
    window.addEventListener("pagehide", (this.onLeave = () => this.tell(false)));
  }

  build(el) {
    this.root = make("div", "rb-view");
    this.root.dataset.kind = this.kind;
    this.root.style.setProperty("--rb-height", `${this.model.get("height")}px`);
    const head = make("div", "rb-head");
    this.badge = make("span", "rb-badge", "…");
    this.facts = make("span", "rb-facts");
    const legend = make("span", "rb-legend");
    for (const [ink, text] of LEGENDS[this.kind]) {
      const entry = make("span", "", text);
      entry.prepend(make("i", `rb-swatch rb-${ink}-ink`));
      legend.append(entry);
    }
    head.append(make("b", "rb-title", this.model.get("title")), make("span", "rb-kind", NAMES[this.kind]), this.badge, legend, this.facts);
    this.alarm = make("div", "rb-alarm");
    this.alarm.setAttribute("role", "status");
    this.body = make("div", "rb-body");
    this.root.append(head, this.alarm, this.body);
    el.append(this.root);
  }

  // Tell the kernel when the view comes into sight or leaves it; out of sight nothing runs here.
  look() {
    const isShown = this.isSeen && document.visibilityState === "visible";
    if (isShown !== this.isShown) this.tell(isShown);
  }

  tell(isShown) {
    this.isShown = isShown;
    clearInterval(this.timer);
    if (isShown) {
      this.heardMs = performance.now();
      this.timer = setInterval(() => this.listen(), 1000);
    }
    this.send({ view: this.id, shown: isShown });
  }

  send(content) {
    try {
      this.model.send(content);
    } catch {
      this.lost = true; // the kernel is gone; `listen` says so
    }
  }

  // A picture that no longer moves must not look LIVE.
  listen() {
    const silentMs = performance.now() - this.heardMs;
    if (silentMs <= SILENT_MS || this.state) return;
    this.send({ view: this.id, shown: true }); // frames may have been lost with a connection
    this.raise("silent", "NO NEWS", `nothing came from the kernel for ${Math.round(silentMs / 1e3)} s; if it runs, run the cell again`);
  }

  hear(content, buffers) {
    this.heardMs = performance.now();
    if (content.state !== undefined) {
      this.state = content.state === "paused" || content.state === "stopped" ? content.state : "";
      if (this.state) this.raise(this.state, this.state.toUpperCase(), "this picture does not move");
    }
    if (content.error) this.raise("error", "ERROR", content.error);
    if (content.health) {
      try {
        this.show(unpacked(content, buffers));
      } catch (error) {
        this.raise("error", "ERROR", `drawing failed: ${error}`);
      }
    }
    if (content.frame && content.frame % TELL_EVERY === 0) this.send({ view: this.id, drawn: content.frame });
  }

  show(frame) {
    const isLive = frame.health === "LIVE" && (!frame.verdict || frame.verdict === "running");
    if (this.state) return;
    if (isLive) this.raise("LIVE", "LIVE", "");
    else if (this.kind === "panel") this.raise(frame.health, frame.health, panelReason(frame));
    else this.raise(frame.health, frame.health, frame.why);
    say(this.facts, factsOf(this.kind, frame));
    this.picture.show(frame);
  }

  raise(level, name, text) {
    this.root.dataset.health = level;
    say(this.badge, name);
    say(this.alarm, text ? `${name}: ${text}` : "");
  }

  close() {
    this.tell(false);
    this.watcher.disconnect();
    this.picture.close();
    document.removeEventListener("visibilitychange", this.onVisible);
    window.removeEventListener("pagehide", this.onLeave);
    this.model.off("msg:custom", this.onMessage);
  }
}

function unpacked(content, buffers) {
  const kinds = { f8: [Float64Array, 8], f4: [Float32Array, 4], u1: [Uint8Array, 1] };
  const frame = { ...content };
  content.arrays.forEach(([name, kind], n) => {
    const view = buffers[n], [Numbers] = kinds[kind];
    frame[name] = new Numbers(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
  });
  return frame;
}

function panelReason(frame) {
  if (frame.verdict !== "running") return `the writer is ${frame.verdict}, its last heartbeat ${trimmed(frame.heartbeat_ms / 1e3, 1)} s ago`;
  const states = Object.entries(frame.states).map(([name, count]) => `${count} ${name}`);
  return states.join(", ") || "no symbols yet";
}

function factsOf(kind, frame) {
  const digits = frame.price_digits;
  if (kind === "ladder")
    return `spread ${frame.spread ?? "–"}   micro ${priceText(frame.micro, digits, 1)}   imbalance ${frame.imbalance === null ? "–" : frame.imbalance.toFixed(2)}`;
  if (kind === "depth") {
    const merged = frame.bids_merged + frame.asks_merged;
    return `± ${trimmed((frame.width / frame.mid) * 1e4, 1)} bp${merged ? `, ${merged} levels share points` : ""}`;
  }
  if (kind === "heat") return `cells of ${trimmed(frame.cell, digits)} × ${trimmed(frame.step_s, 2)} s`;
  if (kind === "panel") return `pid ${frame.pid}, generation ${frame.generation}, last ${frame.seconds.toFixed(0)} s`;
  const lost = frame.lost ? `   ${frame.lost} records lost` : "";
  return `steps of ${trimmed(frame.step_s, 2)} s${lost}`;
}

export default {
  render({ model, el }) {
    const shell = new Shell(model, el);
    return () => shell.close();
  },
};
