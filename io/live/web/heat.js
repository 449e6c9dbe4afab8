// The book through time as a picture of shades; what nobody knows is striped.

const UNKNOWN = 255;
const RAMPS = {
  dark: ["#0d1117", "#14274e", "#2c4fa3", "#7a4fc9", "#d9588f", "#f9a857", "#fdf3b4"],
  light: ["#ffffff", "#dde8f7", "#a8c4ec", "#7391dd", "#6a54b8", "#6b1d78", "#3b0a3f"],
};
const ramps = {};

function rampOf(isDark) {
  const name = isDark ? "dark" : "light";
  if (ramps[name]) return ramps[name];
  const stops = RAMPS[name].map(rgb), table = new Uint32Array(256);
  for (let shade = 0; shade < UNKNOWN; shade++) {
    const at = (shade / 254) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2);
    const [r, g, b] = [0, 1, 2].map((k) => stops[low][k] + (stops[low + 1][k] - stops[low][k]) * (at - low));
    table[shade] = (255 << 24) | (b << 16) | (g << 8) | r;
  }
  return (ramps[name] = table); // UNKNOWN stays transparent
}

function heatPicture(frame, isDark) {
  const { columns, rows, shades } = frame, table = rampOf(isDark);
  const picture = make("canvas");
  picture.width = columns;
  picture.height = rows;
  const pen = picture.getContext("2d"), image = pen.createImageData(columns, rows);
  const dots = new Uint32Array(image.data.buffer);
  for (let column = 0; column < columns; column++)
    for (let row = 0; row < rows; row++) dots[(rows - 1 - row) * columns + column] = table[shades[column * rows + row]];
  pen.putImageData(image, 0, 0);
  return picture;
}

function paintHeat(pen, size, frame, inks, pointer) {
  const { columns, rows } = frame, high = frame.low + rows * frame.cell;
  const box = boxOf(size, labelRoom(pen, high, frame.price_digits));
  const x = scaleOf(0, columns, box.left, box.right), y = scaleOf(frame.low, high, box.bottom, box.top);
  const first = frame.bid.findIndex((value) => !Number.isNaN(value));
  hatch(pen, box, box.left, box.right, inks, true);
  hatchRuns(pen, box, columns, (i) => i > first && Number.isNaN(frame.bid[i]), inks);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(heatPicture(frame, inks.isDark), box.left, box.top, box.right - box.left, box.bottom - box.top);
  levelAxis(pen, box, { ...inks, line: "transparent" }, frame.low, high, y, (tick, all) => tick.toFixed(digitsFor(all, frame.price_digits)), 6);
  timeAxis(pen, box, { ...inks, line: "transparent" }, frame.end_ms, columns * frame.step_s);
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  pen.lineWidth = 1.5;
  pen.strokeStyle = inks.bid;
  lineThrough(pen, frame.bid, x, y, true);
  pen.strokeStyle = inks.ask;
  lineThrough(pen, frame.ask, x, y, true);
  pen.restore();
  if (isInside(pointer, box)) {
    const column = Math.min(columns - 1, Math.floor(x.back(pointer.x)));
    const row = Math.min(rows - 1, Math.floor((y.back(pointer.y) - frame.low) / frame.cell));
    const shade = frame.shades[column * rows + row];
    const qty = frame.typical * Math.expm1((shade / 254) * Math.log1p(frame.largest / frame.typical));
    card(pen, box, inks, pointer, [
      clockText(frame.end_ms - (columns - column) * frame.step_s * 1e3),
      `from ${priceText(frame.low + row * frame.cell, frame.price_digits)}`,
      shade === UNKNOWN ? "unknown" : `about ${compact(qty)}`,
    ]);
  }
  return `largest quantity ${compact(frame.largest)}`;
}
