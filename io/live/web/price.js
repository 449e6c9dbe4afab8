// Mid, microprice and trades.

function paintPrice(pen, size, frame, inks, pointer) {
  const count = frame.mid.length, digits = frame.price_digits;
  const spanS = count * frame.step_s, series = [frame.mid, frame.micro, frame.buy_price, frame.sell_price];
  let low = Infinity, high = -Infinity;
  for (const values of series)
    for (const value of values)
      if (!Number.isNaN(value)) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
  const box = boxOf(size, labelRoom(pen, high, digits + 1));
  timeAxis(pen, box, inks, frame.end_ms, spanS);
  if (low > high) {
    hatch(pen, box, box.left, box.right, inks);
    note(pen, box, inks, "no LIVE book and no trade in this time");
    return "no price";
  }
  const pad = (high - low) * 0.08 || 10 ** -digits;
  const x = scaleOf(0, count, box.left, box.right), y = scaleOf(low - pad, high + pad, box.bottom, box.top);
  levelAxis(pen, box, inks, low - pad, high + pad, y, (tick, all) => tick.toFixed(digitsFor(all, digits + 1)));
  const first = frame.mid.findIndex((value) => !Number.isNaN(value));
  hatchRuns(pen, box, count, (i) => i > first && Number.isNaN(frame.mid[i]), inks);
  paintTakers(pen, x, y, frame, inks);
  pen.lineJoin = "round";
  pen.lineWidth = 1.25;
  pen.strokeStyle = inks.micro;
  lineThrough(pen, frame.micro, x, y, false);
  pen.lineWidth = 1.75;
  pen.strokeStyle = inks.ink;
  lineThrough(pen, frame.mid, x, y, true);
  const last = frame.mid[count - 1];
  if (!Number.isNaN(last)) paintTag(pen, box, inks, y(last), priceText(last, digits, 1));
  if (isInside(pointer, box)) {
    const i = Math.min(count - 1, Math.floor(x.back(pointer.x)));
    crossLine(pen, box, inks, x(i + 0.5));
    card(pen, box, inks, pointer, priceLines(frame, i, digits));
  }
  return `mid ${priceText(last, digits, 1)}`;
}

function priceLines(frame, i, digits) {
  const lines = [
    clockText(frame.end_ms - (frame.mid.length - i) * frame.step_s * 1e3),
    `mid ${priceText(frame.mid[i], digits, 1)}`,
    `micro ${priceText(frame.micro[i], digits, 2)}`,
  ];
  if (frame.buy_qty[i] > 0) lines.push(`bought ${compact(frame.buy_qty[i])} at ${priceText(frame.buy_price[i], digits)}`);
  if (frame.sell_qty[i] > 0) lines.push(`sold ${compact(frame.sell_qty[i])} at ${priceText(frame.sell_price[i], digits)}`);
  return lines;
}

function paintTakers(pen, x, y, frame, inks) {
  let largest = 0;
  for (const sums of [frame.buy_qty, frame.sell_qty]) for (const qty of sums) largest = Math.max(largest, qty);
  pen.globalAlpha = 0.5;
  for (const [prices, sums, ink] of [[frame.buy_price, frame.buy_qty, inks.bid], [frame.sell_price, frame.sell_qty, inks.ask]]) {
    pen.fillStyle = ink;
    for (let i = 0; i < sums.length; i++) {
      if (!(sums[i] > 0)) continue;
      pen.beginPath();
      pen.arc(x(i + 0.5), y(prices[i]), 1.2 + 7 * Math.sqrt(sums[i] / largest), 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
}

// The newest value on the axis.
function paintTag(pen, box, inks, at, text) {
  const wide = pen.measureText(text).width + 10;
  pen.fillStyle = inks.ink;
  pen.beginPath();
  pen.roundRect(box.right + 2, at - 8, wide, 16, 3);
  pen.fill();
  pen.fillStyle = inks.paper;
  pen.textAlign = "left";
  pen.fillText(text, box.right + 7, at);
}
