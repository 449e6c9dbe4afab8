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

/// Median of some durations.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
