//! Roots, powers and logarithms of [`Fixed`] numbers, the same on every machine: integers
//! inside, so many steps at most, no tables.
//!
//! Inside, a logarithm has 120 binary places and a power 126 significant bits. What comes out
//! is rounded to the nearest step of a [`Fixed`] (a root: down). So the error is at most one
//! step (1e-20) for [`Fixed::sqrt`] and [`Fixed::ln`], and one step plus 1e-33 of the result
//! for [`Fixed::exp`]; [`Fixed::pow`] and [`Fixed::powi`] say their own.

use ethnum::{I256, U256};
use remuda_types::AmountError;
use thiserror::Error;

use super::Fixed;

/// Binary places of the numbers inside logarithms and exponentials.
const BITS: u32 = 120;
/// One, with [`BITS`] places.
const ONE: I256 = I256::new(1 << BITS);
/// The natural logarithm of 2, with [`BITS`] places.
const LN_2: I256 = I256::new(921_350_637_599_661_305_226_344_307_672_478_455);
/// The natural logarithm of the steps in one, with [`BITS`] places.
const LN_SCALE: I256 = I256::new(61_213_211_365_693_989_594_167_068_961_206_825_773);
/// The steps in one.
const SCALE: I256 = I256::new(Fixed::SCALE);
/// Newton's steps of a root: each doubles the digits of a first guess within a factor of 2.
const ROOT_STEPS_MAX: u32 = 12;
/// Terms of the series of a logarithm, whose argument is at most 0.172.
const LN_TERMS: i128 = 26;
/// Terms of the series of an exponential, whose argument is at most 0.35.
const EXP_TERMS: i128 = 28;
/// Beyond this (2^7) an exponential is out of range on either side.
const EXPONENT_MAX: I256 = I256::new(1 << (BITS + 6));
/// Significant bits of the numbers inside whole powers.
const MANTISSA_BITS: u32 = 126;

/// Why a function has no value here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// The argument is outside of the function's domain, such as a negative number's root.
    #[error("the argument is outside of the function's domain")]
    Domain,
    /// The result is more than a [`Fixed`] can hold.
    #[error("the result is out of range")]
    Overflow,
}

impl From<FunctionError> for AmountError {
    fn from(error: FunctionError) -> Self {
        match error {
            FunctionError::Domain => Self::Underflow,
            FunctionError::Overflow => Self::Overflow,
        }
    }
}

/// The largest integer whose square is at most `value`.
#[must_use]
pub const fn integer_sqrt(value: u128) -> u128 {
    value.isqrt()
}

impl Fixed {
    /// The square root, rounded down: its square is at most this number, and the square of
    /// the next step is more.
    ///
    /// # Errors
    /// [`FunctionError::Domain`] for a negative number.
    pub fn sqrt(self) -> Result<Self, FunctionError> {
        let steps = u128::try_from(self.0).map_err(|_| FunctionError::Domain)?;
        let root = wide_sqrt(U256::from(steps) * U256::new(Self::SCALE as u128));
        i128::try_from(root).map(Self).map_err(|_| FunctionError::Overflow)
    }

    /// The natural logarithm, within one step.
    ///
    /// # Errors
    /// [`FunctionError::Domain`] for zero and below.
    pub fn ln(self) -> Result<Self, FunctionError> {
        nearest(wide_ln(self)?)
    }

    /// The exponential function, within one step and 1e-33 of the result.
    ///
    /// # Errors
    /// [`FunctionError::Overflow`] above 41.98.
    pub fn exp(self) -> Result<Self, FunctionError> {
        wide_exp((I256::from(self.0) << BITS) / SCALE)
    }

    /// This number raised to any power, within one step and `1e-33·(1 + |exponent|)` of the
    /// result. Zero to the power zero is one.
    ///
    /// # Errors
    /// [`FunctionError::Domain`] for a negative number, and for zero to a negative power;
    /// [`FunctionError::Overflow`].
    pub fn pow(self, exponent: Self) -> Result<Self, FunctionError> {
        if exponent == Self::ZERO {
            return Ok(Self::ONE);
        }
        if self == Self::ZERO && !exponent.is_negative() {
            return Ok(Self::ZERO);
        }
        wide_exp(wide_ln(self)? * I256::from(exponent.0) / SCALE)
    }

    /// This number multiplied by itself, within one step and 1e-27 of the result whatever the
    /// exponent. Zero to the power zero is one.
    ///
    /// # Errors
    /// [`FunctionError::Overflow`].
    pub fn powi(self, exponent: u32) -> Result<Self, FunctionError> {
        if self == Self::ZERO {
            return Ok(if exponent == 0 { Self::ONE } else { self });
        }
        let size = Float::of(self.0.unsigned_abs()).power(exponent).to_steps()?;
        let negative = self.is_negative() && exponent % 2 == 1;
        Ok(Self(if negative { -size } else { size }))
    }
}

/// The root of a wide integer, rounded down, by Newton's method from above.
fn wide_sqrt(value: U256) -> U256 {
    if value == U256::ZERO {
        return value;
    }
    let bits = U256::BITS - value.leading_zeros();
    let mut root = U256::ONE << bits.div_ceil(2);
    for _ in 0..ROOT_STEPS_MAX {
        let next = (root + value / root) >> 1_u32;
        if next >= root {
            break;
        }
        root = next;
    }
    root
}

/// `2^power · m = raw`, by `ln m = 2·artanh((m - 1)/(m + 1))` with `m` near 1.
fn wide_ln(value: Fixed) -> Result<I256, FunctionError> {
    let raw = u128::try_from(value.0).ok().filter(|raw| *raw > 0).ok_or(FunctionError::Domain)?;
    let mut power = 127 - raw.leading_zeros();
    let wide = I256::new(value.0);
    let mut near = if power > BITS { wide >> (power - BITS) } else { wide << (BITS - power) };
    // Above the root of 2 the other side of 1 is nearer.
    if near * near > (ONE * ONE) << 1_u32 {
        near >>= 1_u32;
        power += 1;
    }
    let argument = ((near - ONE) << BITS) / (near + ONE);
    let square = (argument * argument) >> BITS;
    let mut term = argument;
    let mut sum = argument;
    for index in 1..LN_TERMS {
        term = (term * square) >> BITS;
        sum += term / I256::new(2 * index + 1);
    }
    Ok((sum << 1_u32) + LN_2 * I256::from(power) - LN_SCALE)
}

/// `e^(n·ln 2 + rest) = 2^n · e^rest`, by the series of `e^rest`.
fn wide_exp(exponent: I256) -> Result<Fixed, FunctionError> {
    if exponent >= EXPONENT_MAX {
        return Err(FunctionError::Overflow);
    }
    if exponent <= -EXPONENT_MAX {
        return Ok(Fixed::ZERO);
    }
    let half = LN_2 >> 1_u32;
    let power = (exponent + half).div_euclid(LN_2);
    let rest = exponent - power * LN_2;
    let (mut term, mut sum) = (ONE, ONE);
    for index in 1..EXP_TERMS {
        term = ((term * rest) >> BITS) / I256::new(index);
        sum += term;
    }
    let shift = i64::from(BITS) - power.as_i64();
    let size = (sum * SCALE).as_u256();
    shifted(size, shift).map(Fixed)
}

/// A number with [`BITS`] binary places, to the nearest step.
fn nearest(value: I256) -> Result<Fixed, FunctionError> {
    let steps = (value * SCALE + (ONE >> 1_u32)) >> BITS;
    i128::try_from(steps).map(Fixed).map_err(|_| FunctionError::Overflow)
}

/// `value / 2^shift` to the nearest, as steps.
fn shifted(value: U256, shift: i64) -> Result<i128, FunctionError> {
    let bits = U256::BITS - value.leading_zeros();
    let left = i64::from(bits) - shift;
    if left < 0 {
        return Ok(0);
    }
    if left > 127 {
        return Err(FunctionError::Overflow);
    }
    let Ok(shift) = u32::try_from(shift) else {
        let shift = u32::try_from(-shift).map_err(|_| FunctionError::Overflow)?;
        return i128::try_from(value << shift).map_err(|_| FunctionError::Overflow);
    };
    let half = if shift == 0 { U256::ZERO } else { U256::ONE << (shift - 1) };
    i128::try_from((value + half) >> shift).map_err(|_| FunctionError::Overflow)
}

/// A positive number as `mantissa · 2^exponent`, the mantissa with [`MANTISSA_BITS`] bits.
#[derive(Clone, Copy)]
struct Float {
    mantissa: U256,
    exponent: i64,
}

impl Float {
    const ONE: Self =
        Self { mantissa: U256::new(1 << (MANTISSA_BITS - 1)), exponent: 1 - MANTISSA_BITS as i64 };

    /// So many steps of a [`Fixed`].
    fn of(steps: u128) -> Self {
        // As many bits before the division as there is room for: a small number loses none.
        let shift = MANTISSA_BITS + steps.leading_zeros();
        let quotient = (U256::from(steps) << shift) / U256::new(Fixed::SCALE as u128);
        Self::normal(quotient, -i64::from(shift))
    }

    fn normal(mantissa: U256, exponent: i64) -> Self {
        let bits = U256::BITS - mantissa.leading_zeros();
        if bits <= MANTISSA_BITS {
            let up = MANTISSA_BITS - bits;
            return Self { mantissa: mantissa << up, exponent: exponent - i64::from(up) };
        }
        let down = bits - MANTISSA_BITS;
        Self { mantissa: mantissa >> down, exponent: exponent + i64::from(down) }
    }

    fn times(self, other: Self) -> Self {
        Self::normal(self.mantissa * other.mantissa, self.exponent + other.exponent)
    }

    /// By squaring: at most 64 products. An exponent of 32 bits cannot leave the range of the
    /// binary exponent.
    fn power(self, mut exponent: u32) -> Self {
        let (mut square, mut result) = (self, Self::ONE);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result.times(square);
            }
            square = square.times(square);
            exponent >>= 1;
        }
        result
    }

    fn to_steps(self) -> Result<i128, FunctionError> {
        shifted(self.mantissa * U256::new(Fixed::SCALE as u128), -self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fixed(text: &str) -> Fixed {
        text.parse().unwrap_or_else(|_| panic!("{text}"))
    }

    /// Whether `found` is `expected` within one step and one part in 1e17.
    fn close(found: Fixed, expected: Fixed) -> bool {
        let bound = 1 + expected.0.unsigned_abs() / 100_000_000_000_000_000;
        found.0.abs_diff(expected.0) <= bound
    }

    #[test]
    fn roots_to_the_last_digit() {
        for (value, root) in [
            ("0", "0"),
            ("2", "1.4142135623730950488"),
            ("10", "3.16227766016837933199"),
            ("0.00000000000000000001", "0.0000000001"),
            ("1000000000000000000", "1000000000"),
            ("3.14159265358979323846", "1.77245385090551602729"),
        ] {
            assert_eq!(fixed(value).sqrt(), Ok(fixed(root)), "{value}");
        }
        assert_eq!(fixed("-1").sqrt(), Err(FunctionError::Domain));
        assert_eq!(integer_sqrt(u128::MAX), u128::from(u64::MAX));
        assert_eq!((integer_sqrt(0), integer_sqrt(15), integer_sqrt(16)), (0, 3, 4));
    }

    #[test]
    fn logarithms_to_the_last_digit() {
        for (value, logarithm) in [
            ("1", "0"),
            ("2", "0.69314718055994530942"),
            ("10", "2.30258509299404568402"),
            ("0.5", "-0.69314718055994530942"),
            ("1.00000000000000000001", "0.00000000000000000001"),
            ("0.00000000000000000001", "-46.05170185988091368036"),
            ("1000000000000000000", "41.44653167389282231232"),
            ("3.14159265358979323846", "1.14472988584940017414"),
        ] {
            assert_eq!(fixed(value).ln(), Ok(fixed(logarithm)), "{value}");
        }
        for wrong in ["0", "-1"] {
            assert_eq!(fixed(wrong).ln(), Err(FunctionError::Domain));
        }
    }

    #[test]
    fn exponentials_to_the_last_digit() {
        for (value, power) in [
            ("0", "1"),
            ("1", "2.71828182845904523536"),
            ("-1", "0.3678794411714423216"),
            ("0.5", "1.64872127070012814685"),
            ("10", "22026.4657948067165169579"),
            ("-2.6", "0.07427357821433388043"),
            ("-46", "0.00000000000000000001"),
            ("-47", "0"),
            ("-1000000000000000000", "0"),
        ] {
            assert_eq!(fixed(value).exp(), Ok(fixed(power)), "{value}");
        }
        assert!(close(
            fixed("41.9").exp().unwrap(),
            fixed("1573761047340054746.30325051936632801443")
        ));
        for wrong in ["41.99", "63", "65", "1000000000000000000"] {
            assert_eq!(fixed(wrong).exp(), Err(FunctionError::Overflow), "{wrong}");
        }
    }

    #[test]
    fn powers_to_the_last_digit() {
        for (base, exponent, power) in [
            ("4", "0.5", "2"),
            ("2", "0.5", "1.4142135623730950488"),
            ("0.603", "10", "0.00635584242246416862"),
            ("0.8", "0.333", "0.92838681866501140217"),
            ("1.0001", "100000", "22015.45604855219864570146"),
            ("10", "-3.7", "0.00019952623149688796"),
            ("0", "2", "0"),
            ("0", "0", "1"),
        ] {
            assert_eq!(fixed(base).pow(fixed(exponent)), Ok(fixed(power)), "{base}^{exponent}");
        }
        assert_eq!(fixed("-1").pow(fixed("2")), Err(FunctionError::Domain));
        assert_eq!(fixed("0").pow(fixed("-1")), Err(FunctionError::Domain));
        assert_eq!(fixed("10").pow(fixed("19")), Err(FunctionError::Overflow));
        let most = Fixed(i128::MAX);
        assert_eq!(most.pow(most), Err(FunctionError::Overflow));
        assert_eq!(most.pow(Fixed(-i128::MAX)), Ok(Fixed::ZERO));
    }

    #[test]
    fn whole_powers_to_the_last_digit() {
        let hourly = fixed("0.9999861130476040207");
        for (exponent, power) in [
            (0, "1"),
            (1, "0.9999861130476040207"),
            (730, "0.98991366607695829031"),
            (8_760, "0.88545773971589582319"),
            (175_319, "0.08762722758281899534"),
            (u32::MAX, "0"),
        ] {
            assert_eq!(hourly.powi(exponent), Ok(fixed(power)), "{exponent}");
        }
        assert_eq!(fixed("-1.5").powi(3), Ok(fixed("-3.375")));
        assert_eq!(fixed("-0.1").powi(2), Ok(fixed("0.01")));
        assert_eq!(fixed("0.00000000000000000001").powi(1), Ok(Fixed(1)));
        assert_eq!(fixed("123456789.123456789").powi(1), Ok(fixed("123456789.123456789")));
        assert_eq!(Fixed(i128::MAX).powi(2), Err(FunctionError::Overflow));
        assert_eq!(Fixed(i128::MIN).powi(u32::MAX), Err(FunctionError::Overflow));
        assert_eq!((Fixed::ZERO.powi(0), Fixed::ZERO.powi(9)), (Ok(Fixed::ONE), Ok(Fixed::ZERO)));
    }

    proptest! {
        #[test]
        fn a_root_is_the_largest_whose_square_fits(raw in 0..i128::MAX, down in 0_u32..127) {
            let raw = raw >> down;
            let root = Fixed(raw).sqrt()?.0;
            let square = |root: i128| I256::new(root) * I256::new(root);
            let value = I256::new(raw) * SCALE;
            prop_assert!(square(root) <= value && value < square(root + 1));
        }

        #[test]
        fn the_exponential_undoes_the_logarithm(raw in 1..i128::MAX / 2, down in 0_u32..126) {
            let value = Fixed((raw >> down).max(1));
            let back = value.ln()?.exp()?;
            // The logarithm's step of 1e-20 is a relative error of 1e-20.
            prop_assert!(close(back, value), "{} became {}", value, back);
        }

        #[test]
        fn the_logarithm_of_a_product_is_a_sum(a in 1..1_i128 << 90, b in 1..1_i128 << 90) {
            let product = Fixed(a).mul(Fixed(b))?;
            prop_assume!(product.0 > 1_i128 << 100);
            let sum = Fixed(a).ln()?.add(Fixed(b).ln()?)?;
            prop_assert!(close(product.ln()?, sum));
        }

        #[test]
        fn powers_agree(raw in 1..3 * Fixed::SCALE, exponent in 0_u32..30) {
            let (base, whole) = (Fixed(raw), Fixed::from_integer(exponent)?);
            prop_assert!(close(base.pow(whole)?, base.powi(exponent)?));
            let mut product = Fixed::ONE;
            for _ in 0..exponent {
                product = product.mul(base)?;
            }
            let bound = 1 + product.0 / 1_000_000_000_000_000;
            prop_assert!(product.0.abs_diff(base.powi(exponent)?.0) <= bound.unsigned_abs() * 100);
        }

        #[test]
        fn no_argument_panics(a: i128, b: i128, exponent: u32) {
            let _ = (Fixed(a).sqrt(), Fixed(a).ln(), Fixed(a).exp());
            let _ = (Fixed(a).pow(Fixed(b)), Fixed(a).powi(exponent));
        }

        #[test]
        fn logarithm_and_exponential_rise(raw in 1..i128::MAX - 1_000, step in 1..1_000_i128) {
            prop_assert!(Fixed(raw).ln()? <= Fixed(raw + step).ln()?);
            let small = Fixed(raw % (40 * Fixed::SCALE));
            prop_assert!(small.exp()? <= Fixed(small.0 + step).exp()?);
        }
    }
}
