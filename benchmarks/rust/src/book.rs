//! Full-depth books: a BTreeMap per side, and sorted vectors with the best level at their end.

use crate::decode::Level;
use std::collections::BTreeMap;

pub const TOP_N: usize = 20;
pub const SIDES: usize = 2;



/// A book keyed by `price` for asks and `-price` for bids, so that the smallest key is the best.
pub trait Book: Default {
    fn set(&mut self, side: usize, price: i64, qty: i64);
    fn top(&self, side: usize, out: &mut [Level; TOP_N]) -> usize;
    fn depth(&self, side: usize) -> usize;
    fn levels(&self, side: usize) -> Vec<Level>;

    fn apply(&mut self, side: usize, levels: &[Level]) {
        for &(price, qty) in levels {
            self.set(side, price, qty);
        }
    }
}

#[inline]
fn key(side: usize, price: i64) -> i64 {
    if side == 1 { price } else { -price }
}

/// The idiomatic one.
#[derive(Default)]
pub struct Tree([BTreeMap<i64, i64>; SIDES]);

impl Book for Tree {
    #[inline]
    fn set(&mut self, side: usize, price: i64, qty: i64) {
        if qty == 0 {
            self.0[side].remove(&key(side, price));
        } else {
            self.0[side].insert(key(side, price), qty);
        }
    }

    #[inline]
    fn top(&self, side: usize, out: &mut [Level; TOP_N]) -> usize {
        let mut count = 0;
        for (slot, (&key, &qty)) in out.iter_mut().zip(self.0[side].iter()) {
            *slot = (if side == 1 { key } else { -key }, qty);
            count += 1;
        }
        out[count..].fill((0, 0));
        count
    }

    fn depth(&self, side: usize) -> usize {
        self.0[side].len()
    }

    fn levels(&self, side: usize) -> Vec<Level> {
        self.0[side].iter().map(|(&key, &qty)| (if side == 1 { key } else { -key }, qty)).collect()
    }
}

/// Sorted vectors: worst first, so that a change near the touch moves little memory.
#[derive(Default)]
pub struct Flat([Vec<Level>; SIDES]);

impl Book for Flat {
    #[inline]
    fn set(&mut self, side: usize, price: i64, qty: i64) {
        let (levels, wanted) = (&mut self.0[side], key(side, price));
        match levels.binary_search_by(|level| wanted.cmp(&level.0)) {
            Ok(at) if qty == 0 => drop(levels.remove(at)),
            Ok(at) => levels[at].1 = qty,
            Err(_) if qty == 0 => {}
            Err(at) => levels.insert(at, (wanted, qty)),
        }
    }

    #[inline]
    fn top(&self, side: usize, out: &mut [Level; TOP_N]) -> usize {
        let mut count = 0;
        for (slot, &(key, qty)) in out.iter_mut().zip(self.0[side].iter().rev()) {
            *slot = (if side == 1 { key } else { -key }, qty);
            count += 1;
        }
        out[count..].fill((0, 0));
        count
    }

    fn depth(&self, side: usize) -> usize {
        self.0[side].len()
    }

    fn levels(&self, side: usize) -> Vec<Level> {
        self.0[side].iter().rev().map(|&(key, qty)| (if side == 1 { key } else { -key }, qty)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk<B: Book>() -> ([[Level; TOP_N]; SIDES], usize, usize) {
        let (mut book, mut seed, mut top) = (B::default(), 7u64, [[(0, 0); TOP_N]; SIDES]);
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let (side, away) = ((seed >> 20) as usize & 1, (seed >> 33) as i64 % 700);
            let price = if side == 1 { 10_000 + away } else { 9_999 - away };
            book.set(side, price, (seed >> 50) as i64 % 4);
        }
        for side in 0..SIDES {
            book.top(side, &mut top[side]);
        }
        (top, book.depth(0), book.depth(1))
    }

    #[test]
    fn both_books_agree() {
        assert_eq!(walk::<Tree>(), walk::<Flat>());
    }
}
