//! The yardstick: what a good Rust implementation of the same work takes, measured by the Python side of the benchmarks.

mod book;
mod client;
mod decode;
mod offline;
mod ring;
mod stats;

use book::{Flat, Tree};
use std::collections::HashMap;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "yardstick decode|tape|book|fused|client [--name value ...]";

/// `--name value` pairs.
struct Options(HashMap<String, String>);

impl Options {
    fn text(&self, name: &str, otherwise: &str) -> String {
        self.0.get(name).cloned().unwrap_or_else(|| otherwise.into())
    }

    fn number(&self, name: &str, otherwise: i64) -> i64 {
        self.text(name, &otherwise.to_string()).parse().unwrap_or_else(|_| panic!("--{name} is no number"))
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next().expect(USAGE);
    let mut named = HashMap::new();
    while let Some(name) = arguments.next() {
        named.insert(name.trim_start_matches("--").into(), arguments.next().expect(USAGE));
    }
    let options = Options(named);
    if let core @ 0.. = options.number("core", -1) {
        core_affinity::set_for_current(core_affinity::CoreId { id: core as usize });
    }
    decode::set_digits(options.number("price-digits", 2) as u32, options.number("qty-digits", 8) as u32);
    let (path, rounds) = (options.text("messages", ""), options.number("rounds", 15) as usize);
    let (low, high) = (options.number("low", 0) as usize, options.number("high", i64::MAX) as usize);
    let flat = options.text("book", "tree") == "flat";
    match (command.as_str(), flat) {
        ("decode", _) => offline::decode(&path, rounds),
        ("tape", _) => offline::tape(&path, rounds),
        ("book", false) => offline::book::<Tree>(&path, rounds),
        ("book", true) => offline::book::<Flat>(&path, rounds),
        ("fused", false) => offline::fused::<Tree>(&path, rounds, low, high),
        ("fused", true) => offline::fused::<Flat>(&path, rounds, low, high),
        ("client", false) => client::run::<Tree>(&options),
        ("client", true) => client::run::<Flat>(&options),
        _ => panic!("{USAGE}"),
    }
}
