//! Percentiles and the one-line answers the Python side reads.

/// p50, p99, p99.9 and the maximum of some values.
pub fn percentiles(values: &mut [i64]) -> [i64; 4] {
    if values.is_empty() {
        return [0; 4];
    }
    values.sort_unstable();
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    [at(0.5), at(0.99), at(0.999), values[values.len() - 1]]
}

/// What the Python side draws curves of; its QUANTILES.
pub const SHARES: [f64; 12] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0];

/// The values of sorted ones at SHARES.
pub fn quantiles(sorted: &[i64]) -> [i64; 12] {
    SHARES.map(|share| *sorted.get((sorted.len().saturating_sub(1) as f64 * share).round() as usize).unwrap_or(&0))
}

/// Median of some durations.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
