// Order-flow imbalance above, quantity taken below.

function paintFlow(pen, size, frame, inks, pointer) {
  const whole = boxOf(size), count = frame.ofi.length, cut = whole.top + (whole.bottom - whole.top) * 0.62;
  const upper = { ...whole, bottom: cut - 8 }, lower = { ...whole, top: cut + 8 };
  timeAxis(pen, whole, inks, frame.end_ms, count * frame.step_s);
  const first = frame.broken.indexOf(0);
  hatchRuns(pen, whole, count, (i) => frame.broken[i] && i > first && first >= 0, inks);
  const x = scaleOf(0, count, whole.left, whole.right);
  const total = bars(pen, upper, inks, x, [[frame.ofi, 1]], 4);
  bars(pen, lower, inks, x, [[frame.buy, 1], [frame.sell, -1]], 3);
  paintSum(pen, upper, inks, x, frame);
  pen.textAlign = "left";
  pen.fillStyle = inks.faint;
  pen.fillText("imbalance", upper.left + 4, upper.top + 6);
  pen.fillText("taken", lower.left + 4, lower.top + 6);
  if (isInside(pointer, whole)) {
    const i = Math.min(count - 1, Math.floor(x.back(pointer.x)));
    crossLine(pen, whole, inks, x(i + 0.5));
    const lines = [
      clockText(frame.end_ms - (count - i) * frame.step_s * 1e3),
      `imbalance ${compact(frame.ofi[i])}`,
      `bought ${compact(frame.buy[i])}`,
      `sold ${compact(frame.sell[i])}`,
    ];
    if (frame.broken[i]) lines.push("incomplete");
    card(pen, whole, inks, pointer, lines);
  }
  return `imbalance in this time ${compact(total)}`;
}

// Bars around zero; `series` are [values, sign]. Returns the sum of what is drawn.
function bars(pen, box, inks, x, series, ticks) {
  let most = 0, total = 0;
  for (const [values] of series) for (const value of values) most = Math.max(most, Math.abs(value));
  const y = scaleOf(-(most || 1) * 1.06, (most || 1) * 1.06, box.bottom, box.top), wide = Math.max(1, x(1) - x(0) - 1);
  levelAxis(pen, box, inks, -(most || 1), most || 1, y, compact, ticks);
  for (const [values, sign] of series)
    for (let i = 0; i < values.length; i++) {
      const value = values[i] * sign;
      total += value;
      pen.fillStyle = value >= 0 ? inks.bid : inks.ask;
      pen.fillRect(x(i) + 0.5, Math.min(y(0), y(value)), wide, Math.abs(y(value) - y(0)));
    }
  pen.strokeStyle = inks.faint;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(box.left, Math.round(y(0)) + 0.5);
  pen.lineTo(box.right, Math.round(y(0)) + 0.5);
  pen.stroke();
  return total;
}

// The running sum, at a scale of its own; it begins anew behind what is incomplete.
function paintSum(pen, box, inks, x, frame) {
  const sums = new Float64Array(frame.ofi.length);
  let sum = 0, most = 0;
  for (let i = 0; i < sums.length; i++) {
    sum = frame.broken[i] ? 0 : sum + frame.ofi[i];
    sums[i] = frame.broken[i] ? NaN : sum;
    most = Math.max(most, Math.abs(sum));
  }
  const y = scaleOf(-(most || 1) * 1.1, (most || 1) * 1.1, box.bottom, box.top);
  pen.strokeStyle = inks.micro;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  lineThrough(pen, sums, x, y, false);
}
