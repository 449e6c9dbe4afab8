//! simd-json in place into typed structs; decimals become integers while they are visited, and buffers are reused.

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};
use std::cell::{Cell, RefCell};
use std::fmt;

/// Price and quantity as mantissas at the instrument's scale.
pub type Level = (i64, i64);

thread_local! {
    static SPARE: RefCell<Vec<Vec<Level>>> = const { RefCell::new(Vec::new()) };
    static DIGITS: Cell<(u32, u32)> = const { Cell::new((2, 8)) };
}

/// Decimals of prices and quantities, for this thread.
pub fn set_digits(price: u32, qty: u32) {
    DIGITS.with(|digits| digits.set((price, qty)));
}

/// Levels of one side. The memory goes back to the thread's spare vectors when dropped.
pub struct Levels(pub Vec<Level>);

impl Drop for Levels {
    fn drop(&mut self) {
        SPARE.with(|spare| spare.borrow_mut().push(std::mem::take(&mut self.0)));
    }
}

/// A decimal text as an integer at `digits` decimals; None for what the scale cannot carry.
#[inline]
pub fn mantissa(text: &str, digits: u32) -> Option<i64> {
    let (mut value, mut left, mut seen_point) = (0i64, digits, false);
    for &byte in text.as_bytes() {
        if byte == b'.' {
            seen_point = true;
            continue;
        }
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        if seen_point {
            if left == 0 {
                if digit != 0 {
                    return None;
                }
                continue;
            }
            left -= 1;
        }
        value = value.checked_mul(10)?.checked_add(i64::from(digit))?;
    }
    value.checked_mul(10i64.pow(left))
}

struct LevelsVisitor;

impl<'de> Visitor<'de> for LevelsVisitor {
    type Value = Levels;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list of [price, quantity] pairs of text")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Levels, A::Error> {
        let (price_digits, qty_digits) = DIGITS.with(Cell::get);
        let mut levels = SPARE.with(|spare| spare.borrow_mut().pop()).unwrap_or_default();
        levels.clear();
        while let Some((price, qty)) = seq.next_element::<(&'de str, &'de str)>()? {
            match (mantissa(price, price_digits), mantissa(qty, qty_digits)) {
                (Some(price), Some(qty)) => levels.push((price, qty)),
                _ => return Err(serde::de::Error::custom("a value the scale cannot carry")),
            }
        }
        Ok(Levels(levels))
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LevelsVisitor)
    }
}

/// A depth update of Binance spot or USD-M.
#[derive(serde::Deserialize)]
pub struct Depth {
    #[serde(rename = "E")]
    pub event: i64,
    #[serde(rename = "U")]
    pub first_id: i64,
    #[serde(rename = "u")]
    pub last_id: i64,
    #[serde(rename = "b")]
    pub bids: Levels,
    #[serde(rename = "a")]
    pub asks: Levels,
}

/// A combined-stream message.
#[derive(serde::Deserialize)]
pub struct Envelope<'a> {
    #[serde(borrow)]
    pub stream: &'a str,
    pub data: Depth,
}

/// A REST depth snapshot.
#[derive(serde::Deserialize)]
pub struct Snapshot {
    pub bids: Levels,
    pub asks: Levels,
}

/// Decodes messages with buffers of its own.
#[derive(Default)]
pub struct Decoder {
    buffers: simd_json::Buffers,
}

impl Decoder {
    /// The depth update in `text`, which is overwritten; an error for anything else.
    pub fn depth(&mut self, text: &mut [u8]) -> Result<Depth, simd_json::Error> {
        let envelope: Envelope = simd_json::serde::from_slice_with_buffers(text, &mut self.buffers)?;
        debug_assert!(envelope.stream.contains("@depth"));
        Ok(envelope.data)
    }

    /// The snapshot in `text`, which is overwritten.
    pub fn snapshot(&mut self, text: &mut [u8]) -> Result<Snapshot, simd_json::Error> {
        simd_json::serde::from_slice_with_buffers(text, &mut self.buffers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mantissas() {
        assert_eq!(mantissa("61601.50000000", 2), Some(6_160_150));
        assert_eq!(mantissa("7", 3), Some(7000));
        assert_eq!(mantissa("0.001", 2), None);
        assert_eq!(mantissa("x", 2), None);
        assert_eq!(mantissa("9223372036854775808", 0), None);
    }
}
