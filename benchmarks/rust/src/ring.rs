//! The same record and publishing protocol as ringbook's: slots in mapped memory, a two-cell board, `head` per batch.

use crate::book::{Book, SIDES, TOP_N};
use crate::decode::Depth;
use memmap2::MmapMut;
use std::fs::OpenOptions;
use std::sync::atomic::{fence, AtomicI64, Ordering::*};

pub const SLOT_WORDS: usize = 96; // 128 bytes of header, 2 x 2 x 20 words, whole cache lines
const SLOTS: usize = 16_384;
const HEAD: usize = 64;
const WAITERS: usize = 80;
const RING: usize = 512;
const BOARD: usize = RING + SLOTS * SLOT_WORDS;
const CELL: usize = 8 + SLOT_WORDS;
const PAYLOAD: usize = 16;
pub const KIND_BOOK: i64 = 1;
pub const LIVE: i64 = 2;

/// One symbol's ring and board cell.
pub struct Ring {
    map: MmapMut,
    next_seq: i64,
}

/// Fold a word into a digest.
pub fn mix(digest: u64, word: i64) -> u64 {
    (digest ^ word as u64).wrapping_mul(0x100_0000_01b3).rotate_left(23)
}

/// CLOCK_REALTIME in ns.
#[inline]
pub fn now_ns() -> i64 {
    let mut spec = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `spec` is a valid timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut spec) };
    spec.tv_sec * 1_000_000_000 + spec.tv_nsec
}

impl Ring {
    /// Map a file of the ring's size, or plain memory where no path is given.
    pub fn open(path: Option<&str>) -> std::io::Result<Ring> {
        let bytes = (BOARD + 16 + 2 * CELL) * 8;
        let mut map = match path {
            None => MmapMut::map_anon(bytes)?,
            Some(path) => {
                let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
                file.set_len(bytes as u64)?;
                // SAFETY: the benchmark is the file's only writer and nobody truncates it.
                unsafe { MmapMut::map_mut(&file)? }
            }
        };
        map.fill(0);
        Ok(Ring { map, next_seq: 1 })
    }

    #[inline]
    fn word(&self, at: usize) -> &AtomicI64 {
        debug_assert!(at * 8 < self.map.len());
        // SAFETY: `at` lies inside the mapping, which is page-aligned and never moves.
        unsafe { &*self.map.as_ptr().cast::<AtomicI64>().add(at) }
    }

    /// Publish the top of a book after an event; returns the words written, for digests and stamps.
    #[inline]
    pub fn publish<B: Book>(&mut self, book: &B, event: &Depth, recv_ns: i64) -> (usize, i64) {
        let seq = self.next_seq;
        let slot = RING + (seq as usize & (SLOTS - 1)) * SLOT_WORDS;
        self.word(slot).store(seq - 1, Relaxed);
        fence(Release);
        let (mut top, mut counts) = ([(0i64, 0i64); TOP_N], [0usize; SIDES]);
        for side in 0..SIDES {
            counts[side] = book.top(side, &mut top);
            let price_at = slot + PAYLOAD + side * TOP_N;
            for (row, &(price, qty)) in top.iter().enumerate() {
                self.word(price_at + row).store(price, Relaxed);
                self.word(price_at + SIDES * TOP_N + row).store(qty, Relaxed);
            }
        }
        let publish_ns = now_ns();
        let header = [
            KIND_BOOK | LIVE << 8 | 255 << 16, event.event, 0, recv_ns, recv_ns, publish_ns,
            event.first_id, event.last_id, 0, i64::MAX,
            (counts[0] | counts[1] << 32) as i64, (book.depth(0) | book.depth(1) << 32) as i64, 0, 0, 0,
        ];
        for (word, value) in header.into_iter().enumerate() {
            self.word(slot + 1 + word).store(value, Relaxed);
        }
        self.word(slot).store(seq, Release);
        self.show(slot);
        self.next_seq = seq + 1;
        (slot, publish_ns)
    }

    /// Put the record on the board: fill the spare cell, then name it.
    #[inline]
    fn show(&self, slot: usize) {
        let version = self.word(BOARD).load(Relaxed);
        let cell = BOARD + 16 + (version as usize + 1 & 1) * CELL;
        self.word(cell).store(version, Relaxed);
        fence(Release);
        // SAFETY: both ranges lie inside the mapping and do not overlap.
        unsafe {
            let base = self.map.as_ptr().cast::<i64>().cast_mut();
            std::ptr::copy_nonoverlapping(base.add(slot), base.add(cell + 8), SLOT_WORDS);
        }
        self.word(cell).store(version + 1, Release);
        self.word(BOARD).store(version + 1, Release);
    }

    /// Say how far the ring goes: once per batch.
    #[inline]
    pub fn announce(&self) {
        self.word(HEAD).store(self.next_seq, Release);
        fence(SeqCst);
        if self.word(WAITERS).load(Relaxed) != 0 {
            self.word(WAITERS).store(0, Relaxed);
        }
    }

    /// Records published.
    pub fn published(&self) -> i64 {
        self.next_seq - 1
    }

    /// Fold counts, prices and quantities of a record into a digest.
    pub fn digest(&self, slot: usize, mut digest: u64) -> u64 {
        for word in std::iter::once(11).chain(PAYLOAD..PAYLOAD + 2 * SIDES * TOP_N) {
            digest = mix(digest, self.word(slot + word).load(Relaxed));
        }
        digest
    }
}
