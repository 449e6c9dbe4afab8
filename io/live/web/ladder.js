// The ladder: bids left, asks right, bars from the middle outwards; a changed quantity lights up.

class Ladder {
  constructor(root, body) {
    this.table = make("div", "rb-ladder");
    this.rows = [[], []];
    body.append(this.table);
    this.balance = make("div", "rb-balance");
    this.balance.append(make("i"), make("i"));
    body.append(this.balance);
  }

  build(levels) {
    this.table.replaceChildren();
    this.rows = [[], []];
    for (let n = 0; n < levels; n++)
      for (const side of [0, 1]) {
        const row = make("div", side ? "rb-level rb-ask" : "rb-level rb-bid");
        const cells = { row, bar: make("i"), qty: make("span", "rb-qty"), price: make("span", "rb-price"), beat: 0 };
        row.append(cells.bar, ...(side ? [cells.price, cells.qty] : [cells.qty, cells.price]));
        this.rows[side].push(cells);
        this.table.append(row);
      }
  }

  show(frame) {
    if (this.rows[0].length !== frame.levels) this.build(frame.levels);
    [frame.bids, frame.asks].forEach((levels, side) => {
      this.rows[side].forEach((cells, n) => {
        const [price, qty, share, change] = levels[n] || ["", "", 0, 0];
        say(cells.price, price);
        say(cells.qty, qty);
        cells.bar.style.width = `${(share * 100).toFixed(1)}%`;
        // Two names for one animation, in turns: that starts it again.
        cells.qty.dataset.change = change ? `${change > 0 ? "up" : "down"}${(cells.beat ^= 1)}` : "";
      });
    });
    const share = frame.imbalance === null ? 0.5 : (frame.imbalance + 1) / 2;
    this.balance.firstChild.style.width = `${(share * 100).toFixed(1)}%`;
  }

  close() {}
}
