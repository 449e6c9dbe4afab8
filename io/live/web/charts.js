// A canvas that fits its box, with axes and a pointer; redrawn only when a frame came or the pointer moved.

class Chart {
  constructor(root, body, paint) {
    this.root = root;
    this.paint = paint;
    this.frame = null;
    this.pointer = null;
    this.wanted = false;
    this.canvas = make("canvas", "rb-canvas");
    this.canvas.setAttribute("role", "img");
    body.append(this.canvas);
    this.sizes = new ResizeObserver(() => this.ask());
    this.sizes.observe(body);
    this.body = body;
    this.canvas.addEventListener("pointermove", (event) => this.point(event.offsetX, event.offsetY));
    this.canvas.addEventListener("pointerleave", () => this.point());
  }

  point(x, y) {
    this.pointer = x === undefined ? null : { x, y };
    this.ask();
  }

  show(frame) {
    this.frame = frame;
    this.ask();
  }

  ask() {
    if (this.wanted || !this.frame) return;
    this.wanted = true;
    requestAnimationFrame(() => {
      this.wanted = false;
      this.draw();
    });
  }

  draw() {
    const width = this.body.clientWidth, height = this.body.clientHeight, dots = window.devicePixelRatio || 1;
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * dots) || this.canvas.height !== Math.round(height * dots)) {
      this.canvas.width = Math.round(width * dots);
      this.canvas.height = Math.round(height * dots);
    }
    const pen = this.canvas.getContext("2d"), inks = inksOf(this.root);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = `11px ${inks.font}`;
    pen.textBaseline = "middle";
    const said = this.paint(pen, { width, height }, this.frame, inks, this.pointer);
    if (said) this.canvas.setAttribute("aria-label", said);
  }

  close() {
    this.sizes.disconnect();
  }
}

// The inside of a plot: prices on the right, time below.
function boxOf(size, right = 74, bottom = 20) {
  return { left: 8, top: 8, right: size.width - right, bottom: size.height - bottom };
}

// Room on the right for the widest price.
function labelRoom(pen, price, digits) {
  return Math.max(56, pen.measureText(priceText(price, digits)).width + 18);
}

function scaleOf(low, high, from, to) {
  const span = high - low || 1;
  const place = (value) => from + ((value - low) / span) * (to - from);
  place.back = (at) => low + ((at - from) / (to - from)) * span;
  return place;
}

function ticksOf(low, high, most) {
  if (!(high > low)) return [low];
  const raw = (high - low) / most, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((nice) => nice * power).find((nice) => nice >= raw * 0.999);
  const ticks = [];
  for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) ticks.push(n * step);
  return ticks;
}

function digitsFor(ticks, digits) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
  return Math.min(digits, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9) + (/^25/.test(String(step).replace(/[0.]/g, "")) ? 1 : 0)));
}

function levelAxis(pen, box, inks, low, high, y, text, most = 5) {
  const ticks = ticksOf(low, high, most);
  pen.textAlign = "left";
  pen.lineWidth = 1;
  for (const tick of ticks) {
    const at = Math.round(y(tick)) + 0.5;
    pen.strokeStyle = inks.line;
    pen.beginPath();
    pen.moveTo(box.left, at);
    pen.lineTo(box.right, at);
    pen.stroke();
    pen.fillStyle = inks.faint;
    pen.fillText(text(tick, ticks), box.right + 6, at);
  }
}

function timeAxis(pen, box, inks, endMs, spanS) {
  const x = scaleOf(endMs - spanS * 1e3, endMs, box.left, box.right);
  const room = Math.max(2, Math.floor((box.right - box.left) / 92));
  const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].find((one) => spanS / one <= room) || 7200;
  pen.textAlign = "center";
  for (let ms = Math.ceil((endMs - spanS * 1e3) / (step * 1e3)) * step * 1e3; ms <= endMs; ms += step * 1e3) {
    const at = Math.round(x(ms)) + 0.5;
    pen.strokeStyle = inks.line;
    pen.beginPath();
    pen.moveTo(at, box.top);
    pen.lineTo(at, box.bottom);
    pen.stroke();
    pen.fillStyle = inks.faint;
    if (at > box.left + 24 && at < box.right - 20) pen.fillText(clockText(ms), at, box.bottom + 11);
  }
  return x;
}

// Stripes from x to x: nothing is known there. Quiet ones where nobody has looked yet.
function hatch(pen, box, left, to, inks, isQuiet = false) {
  const right = Math.max(to, left + 3); // a short gap is seen too
  pen.save();
  pen.beginPath();
  pen.rect(left, box.top, right - left, box.bottom - box.top);
  pen.clip();
  pen.globalAlpha = 0.09;
  pen.fillStyle = inks.warn;
  if (!isQuiet) pen.fillRect(left, box.top, right - left, box.bottom - box.top);
  pen.globalAlpha = isQuiet ? 0.12 : 0.2;
  pen.strokeStyle = isQuiet ? inks.faint : inks.warn;
  pen.lineWidth = 1;
  pen.beginPath();
  const tall = box.bottom - box.top;
  for (let at = Math.floor(left / 7) * 7 - tall; at < right; at += 7) {
    pen.moveTo(at, box.bottom);
    pen.lineTo(at + tall, box.top);
  }
  pen.stroke();
  pen.restore();
}

function hatchRuns(pen, box, count, isUnknown, inks) {
  const x = scaleOf(0, count, box.left, box.right);
  for (let from = 0; from < count; from++) {
    if (!isUnknown(from)) continue;
    let to = from;
    while (to < count && isUnknown(to)) to++;
    hatch(pen, box, x(from), x(to), inks);
    from = to;
  }
}

// A line through known values only: NaN lifts the pen.
function lineThrough(pen, values, x, y, isStep) {
  pen.beginPath();
  let down = false;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isNaN(value)) {
      down = false;
      continue;
    }
    if (!down) pen.moveTo(x(isStep ? i : i + 0.5), y(value));
    else if (isStep) pen.lineTo(x(i), y(value));
    else pen.lineTo(x(i + 0.5), y(value));
    if (isStep) pen.lineTo(x(i + 1), y(value));
    down = true;
  }
  pen.stroke();
}

function note(pen, box, inks, text) {
  pen.fillStyle = inks.faint;
  pen.textAlign = "center";
  pen.fillText(text, (box.left + box.right) / 2, (box.top + box.bottom) / 2);
}

// A small card of lines beside the pointer.
function card(pen, box, inks, pointer, lines) {
  const wide = Math.max(...lines.map((line) => pen.measureText(line).width)) + 16, tall = lines.length * 15 + 10;
  const left = pointer.x + 14 + wide > box.right ? pointer.x - 14 - wide : pointer.x + 14;
  const top = Math.min(Math.max(box.top, pointer.y - tall / 2), box.bottom - tall);
  pen.fillStyle = inks.paper;
  pen.strokeStyle = inks.faint;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.roundRect(left, top, wide, tall, 5);
  pen.globalAlpha = 0.94;
  pen.fill();
  pen.globalAlpha = 1;
  pen.stroke();
  pen.fillStyle = inks.ink;
  pen.textAlign = "left";
  lines.forEach((line, n) => pen.fillText(line, left + 8, top + 13 + n * 15));
}

function isInside(pointer, box) {
  return pointer && pointer.x >= box.left && pointer.x <= box.right && pointer.y >= box.top && pointer.y <= box.bottom;
}

function crossLine(pen, box, inks, at) {
  pen.strokeStyle = inks.faint;
  pen.setLineDash([3, 3]);
  pen.beginPath();
  pen.moveTo(Math.round(at) + 0.5, box.top);
  pen.lineTo(Math.round(at) + 0.5, box.bottom);
  pen.stroke();
  pen.setLineDash([]);
}
