//! Decode alone, and decode + book + record, over packed messages in memory: no sockets.

use crate::book::{Book, SIDES};
use crate::decode::{Decoder, Depth};
use crate::ring::Ring;
use crate::stats::median;
use std::hint::black_box;
use std::time::Instant;

/// Messages of a file: u32 length, little-endian, then the text.
fn messages(path: &str) -> Vec<Vec<u8>> {
    let (data, mut at, mut found) = (std::fs::read(path).expect("the packed messages"), 0, Vec::new());
    while at + 4 <= data.len() {
        let size = u32::from_le_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        found.push(data[at + 4..at + 4 + size].to_vec());
        at += 4 + size;
    }
    found
}

/// One buffer with every message and padding, fresh for each round: simd-json writes into its input.
fn arena(all: &[Vec<u8>]) -> (Vec<u8>, Vec<(usize, usize)>) {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for text in all {
        spans.push((bytes.len(), text.len()));
        bytes.extend_from_slice(text);
    }
    (bytes, spans)
}

/// Median ns per message of a work that may write into its text, and the sum of what it returned in a round.
fn timed(path: &str, rounds: usize, mut work: impl FnMut(&mut [u8]) -> i64) -> (f64, i64) {
    let (all, mut took, mut sum) = (messages(path), Vec::new(), 0i64);
    let (clean, spans) = arena(&all);
    let mut texts = clean.clone();
    for _ in 0..rounds {
        texts.copy_from_slice(&clean);
        sum = 0;
        let begun = Instant::now();
        for &(at, size) in &spans {
            sum = sum.wrapping_add(work(&mut texts[at..at + size]));
        }
        took.push(begun.elapsed().as_nanos() as f64 / all.len() as f64);
    }
    (median(&mut took), sum)
}

/// ns per message of decoding alone, and the sum of ids and first prices.
pub fn decode(path: &str, rounds: usize) {
    let mut decoder = Decoder::default();
    let (ns, sum) = timed(path, rounds, |text| {
        let depth = black_box(decoder.depth(text).expect("a depth update"));
        depth.last_id + depth.bids.0.first().map_or(0, |level| level.0)
    });
    println!("{{\"ns_per_message\": {ns:.1}, \"sum\": {sum}}}");
}

/// ns per message of simd-json's own benchmark: the tape alone, buffers reused, nothing typed.
pub fn tape(path: &str, rounds: usize) {
    let mut buffers = simd_json::Buffers::default();
    let (ns, nodes) = timed(path, rounds, |text| {
        let tape = simd_json::to_tape_with_buffers(text, &mut buffers).expect("JSON");
        black_box(&tape).0.len() as i64
    });
    println!("{{\"ns_per_message\": {ns:.1}, \"nodes\": {nodes}}}");
}

/// ns per message from text to published record, books carried over recorded streams; one record each.
///
/// The first message is the snapshot. Only messages with `low..=high` levels are timed.
pub fn fused<B: Book>(path: &str, rounds: usize, low: usize, high: usize) {
    let mut all = messages(path);
    let mut decoder = Decoder::default();
    let snapshot = decoder.snapshot(&mut all.remove(0)).expect("a snapshot first");
    let (clean, spans) = arena(&all);
    let mut work = clean.clone();
    let (mut took, mut digest, mut levels, mut picked) = (Vec::new(), 0u64, 0, 0);
    for round in 0..rounds {
        work.copy_from_slice(&clean);
        let (mut book, mut ring) = (B::default(), Ring::open(None).expect("memory for a ring"));
        book.apply(0, &snapshot.bids.0);
        book.apply(1, &snapshot.asks.0);
        (digest, levels, picked) = (0, 0, 0);
        let mut spent = 0;
        for &(at, size) in &spans {
            let begun = Instant::now();
            let depth: Depth = decoder.depth(&mut work[at..at + size]).expect("a depth update");
            let sides = [&depth.bids.0, &depth.asks.0];
            for (side, rows) in sides.into_iter().enumerate() {
                book.apply(side, rows);
            }
            let (slot, _) = ring.publish(&book, &depth, 1);
            ring.announce();
            let elapsed = begun.elapsed().as_nanos() as u64;
            let count = sides.iter().map(|rows| rows.len()).sum::<usize>();
            if (low..=high).contains(&count) {
                (spent, levels, picked) = (spent + elapsed, levels + count, picked + 1);
            }
            if round == 0 || round + 1 == rounds {
                digest = ring.digest(slot, digest);
            }
        }
        took.push(spent as f64 / picked.max(1) as f64);
    }
    println!(
        "{{\"ns_per_message\": {:.1}, \"levels\": {levels}, \"messages\": {picked}, \"digest\": {digest}}}",
        median(&mut took)
    );
}

/// ns per delta of the book alone, the top read after every message; levels decoded beforehand.
pub fn book<B: Book>(path: &str, rounds: usize) {
    let mut all = messages(path);
    let mut decoder = Decoder::default();
    let snapshot = decoder.snapshot(&mut all.remove(0)).expect("a snapshot first");
    let depths: Vec<Depth> = all.iter_mut().map(|text| decoder.depth(text).expect("a depth update")).collect();
    let deltas: usize = depths.iter().map(|depth| depth.bids.0.len() + depth.asks.0.len()).sum();
    let (mut took, mut sum) = (Vec::new(), 0i64);
    for _ in 0..rounds {
        let (mut book, mut top) = (B::default(), [(0i64, 0i64); crate::book::TOP_N]);
        book.apply(0, &snapshot.bids.0);
        book.apply(1, &snapshot.asks.0);
        sum = 0;
        let begun = Instant::now();
        for depth in &depths {
            book.apply(0, &depth.bids.0);
            book.apply(1, &depth.asks.0);
            for side in 0..SIDES {
                book.top(side, &mut top);
                sum = sum.wrapping_add(black_box(&top)[0].0 ^ top[19].1);
            }
        }
        took.push(begun.elapsed().as_nanos() as f64 / deltas as f64);
    }
    println!("{{\"ns_per_delta\": {:.2}, \"deltas\": {deltas}, \"sum\": {sum}}}", median(&mut took));
}
