//! Logarithm and exponential with pinned operations.
//!
//! The platform's mathematics libraries differ in their last bits, and so would draws. These
//! use only additions, multiplications, divisions and bit operations on `f64`, each of which
//! IEEE 754 rounds in one way. Rust never contracts them into fused operations.

/// High part of ln 2: its low bits are zero, so that its product with an exponent is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
/// What is missing from [`LN_2_HIGH`].
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// Adding it rounds to an integer, which then stands in the low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// Below this, [`exp`] is zero.
const EXP_FLUSH: f64 = -700.0;

/// The natural logarithm, within 1e-15 of relative error.
/// Minus infinity at zero, not a number below it.
pub(super) fn ln(number: f64) -> f64 {
    if number <= 0.0 || !number.is_finite() {
        return match number {
            0.0 => f64::NEG_INFINITY,
            f64::INFINITY => f64::INFINITY,
            _ => f64::NAN,
        };
    }
    if number < f64::MIN_POSITIVE {
        const SCALE_BITS: f64 = 54.0;
        return ln(number * 18_014_398_509_481_984.0) - SCALE_BITS * core::f64::consts::LN_2;
    }
    let (mantissa, exponent) = split(number);
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let series = atanh_series(ratio * ratio);
    exponent * LN_2_HIGH + (2.0 * ratio * series + exponent * LN_2_LOW)
}

/// A positive normal number as `mantissa · 2^exponent`, the mantissa around 1.
fn split(number: f64) -> (f64, f64) {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = number.to_bits();
    let biased = (bits >> 52) as u32;
    let mantissa = f64::from_bits(bits & FRACTION | 1023 << 52);
    let exponent = f64::from(biased) - 1023.0;
    if mantissa > core::f64::consts::SQRT_2 {
        (mantissa * 0.5, exponent + 1.0)
    } else {
        (mantissa, exponent)
    }
}

/// `atanh(r) / r` by its power series in `r²`, for `r² < 0.03`.
fn atanh_series(square: f64) -> f64 {
    let mut sum = 1.0 / 23.0;
    for odd in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
        sum = sum * square + 1.0 / odd;
    }
    sum
}

/// The exponential of a number up to 700, within 1e-15 of relative error; zero below −700.
/// Free of branches, so that the compiler can work on several at once.
#[inline]
pub(super) fn exp(number: f64) -> f64 {
    let clamped = if number > EXP_FLUSH { number } else { EXP_FLUSH };
    let shifted = clamped * core::f64::consts::LOG2_E + ROUNDER;
    let exponent = shifted - ROUNDER;
    let rest = clamped - exponent * LN_2_HIGH - exponent * LN_2_LOW;
    // The low bits of `shifted` are the exponent; what else is there is shifted out.
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let value = exp_series(rest) * scale;
    if number > EXP_FLUSH { value } else { 0.0 }
}

/// `exp(r)` by its power series, for `|r| < 0.35`.
#[inline]
fn exp_series(rest: f64) -> f64 {
    let mut sum = 1.0 / 87_178_291_200.0;
    for factorial in [
        6_227_020_800.0,
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
        1.0,
    ] {
        sum = sum * rest + 1.0 / factorial;
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn relative(ours: f64, theirs: f64) -> f64 {
        if theirs == 0.0 { ours.abs() } else { ((ours - theirs) / theirs).abs() }
    }

    proptest! {
        #[test]
        fn ln_agrees_with_the_platform(number in 1e-300..1e300_f64) {
            prop_assert!(relative(ln(number), number.ln()) < 1e-14);
        }

        #[test]
        fn ln_agrees_near_one(offset in -0.4..0.4_f64) {
            let number = 1.0 + offset;
            prop_assert!(relative(ln(number), number.ln()) < 1e-14, "{number}");
        }

        #[test]
        fn exp_agrees_with_the_platform(number in -699.0..699.0_f64) {
            prop_assert!(relative(exp(number), number.exp()) < 1e-14, "{number}");
        }

        #[test]
        fn exp_never_falls(number in -40.0..0.0_f64, step in 1e-9..1e-3_f64) {
            prop_assert!(exp(number) <= exp(number + step));
        }
    }

    #[test]
    fn edges() {
        assert_eq!(ln(1.0), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(ln(0.0), f64::NEG_INFINITY);
        assert_eq!(ln(f64::INFINITY), f64::INFINITY);
        assert!(ln(-1.0).is_nan() && ln(f64::NAN).is_nan());
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(-701.0), 0.0);
        let smallest = f64::from_bits(1);
        assert!(relative(ln(smallest), smallest.ln()) < 1e-14);
    }

    /// These bits must be the same on every platform, for ever: receipts depend on them.
    #[test]
    fn golden_bits() {
        assert_eq!(ln(10.0).to_bits(), 0x4002_6bb1_bbb5_5516);
        assert_eq!(ln(1.0 - f64::EPSILON / 2.0).to_bits(), 0xbca0_0000_0000_0000);
        assert_eq!(exp(-1.0).to_bits(), 0x3fd7_8b56_362c_ef38);
        assert_eq!(exp(-20.5).to_bits(), 0x3e15_7a3a_feed_00ac);
    }
}
