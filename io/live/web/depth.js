// Cumulated depth on both sides of the mid.

function paintDepth(pen, size, frame, inks, pointer) {
  const box = boxOf(size, 56), digits = frame.price_digits;
  if (frame.mid === null || !frame.width) {
    note(pen, box, inks, "a side of the book is empty");
    return "no depth";
  }
  const sides = [
    { price: frame.bids_price, sum: frame.bids_sum, ink: inks.bid, end: box.left, name: "bids" },
    { price: frame.asks_price, sum: frame.asks_sum, ink: inks.ask, end: box.right, name: "asks" },
  ];
  const most = Math.max(1e-12, ...sides.map((side) => side.sum[side.sum.length - 1] || 0));
  const x = scaleOf(frame.mid - frame.width, frame.mid + frame.width, box.left, box.right);
  const y = scaleOf(0, most * 1.08, box.bottom, box.top);
  levelAxis(pen, box, inks, 0, most * 1.08, y, compact, 5);
  priceAxis(pen, box, inks, frame, x);
  for (const side of sides) paintSide(pen, box, side, x, y);
  crossLine(pen, box, inks, x(frame.mid));
  if (isInside(pointer, box)) {
    const side = sides[pointer.x < x(frame.mid) ? 0 : 1], price = x.back(pointer.x);
    let reach = -1;
    while (reach + 1 < side.price.length && Math.abs(side.price[reach + 1] - frame.mid) <= Math.abs(price - frame.mid)) reach++;
    crossLine(pen, box, inks, pointer.x);
    const away = (Math.abs(price - frame.mid) / frame.mid) * 1e4;
    card(pen, box, inks, pointer, [
      priceText(price, digits),
      `${trimmed(away, 2)} bp from the mid`,
      `${side.name} up to here ${compact(reach < 0 ? 0 : side.sum[reach])}`,
    ]);
  }
  return `depth around ${priceText(frame.mid, digits, 1)}`;
}

function priceAxis(pen, box, inks, frame, x) {
  const low = frame.mid - frame.width, high = frame.mid + frame.width;
  const ticks = ticksOf(low, high, Math.max(2, Math.floor((box.right - box.left) / 90)));
  pen.textAlign = "center";
  pen.fillStyle = inks.faint;
  for (const tick of ticks) {
    const at = x(tick);
    if (at > box.left + 20 && at < box.right - 20)
      pen.fillText(tick.toFixed(digitsFor(ticks, frame.price_digits)), at, box.bottom + 11);
  }
}

function paintSide(pen, box, side, x, y) {
  if (!side.price.length) return;
  const path = new Path2D(), clamp = (at) => Math.min(box.right, Math.max(box.left, at));
  let height = box.bottom;
  path.moveTo(clamp(x(side.price[0])), height);
  for (let i = 0; i < side.price.length; i++) {
    const at = clamp(x(side.price[i]));
    path.lineTo(at, height);
    height = y(side.sum[i]);
    path.lineTo(at, height);
  }
  pen.strokeStyle = side.ink;
  pen.lineWidth = 1.75;
  pen.stroke(path);
  path.lineTo(clamp(x(side.price[side.price.length - 1])), box.bottom);
  pen.fillStyle = side.ink;
  pen.globalAlpha = 0.16;
  pen.fill(path);
  pen.globalAlpha = 1;
}
