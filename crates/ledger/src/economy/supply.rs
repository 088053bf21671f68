//! What must hold between the token and what is minted: together, emission and conversion
//! promise no more tokens than there are for them.

use remuda_types::Tokens;

use super::{Economy, RuleError};
use crate::accounts::Recipient;

impl Economy {
    /// The tokens that there are for emission: what is allocated to it, or without allocations
    /// what points leave of the cap. None when nothing bounds it.
    pub(super) fn room_for_emission(&self) -> Option<Tokens> {
        let left = |cap: Tokens| cap.excess_over(self.points.conversion.pool);
        self.room_for(Recipient::Emission, left)
    }

    /// Requires that points become no more tokens than there are for them.
    pub(super) fn validate_conversion(&self) -> Result<(), RuleError> {
        let room = self.room_for(Recipient::Conversion, |cap| cap);
        let fits = room.is_none_or(|room| self.points.conversion.pool <= room);
        let rule = "must not exceed token.cap, nor the token.allocations to conversion";
        RuleError::require(fits, "points.conversion.pool", rule)
    }

    fn room_for(&self, to: Recipient, of_cap: impl Fn(Tokens) -> Tokens) -> Option<Tokens> {
        if self.token.allocations.is_empty() {
            return self.token.cap.map(of_cap);
        }
        Some(self.token.allocated_to(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::{Allocation, VestingTerms};
    use crate::epochs::{Schedule, Split, Stream};
    use crate::math::{Fixed, Share};

    fn whole(amount: u128) -> Tokens {
        Tokens(amount * 1_000_000_000)
    }

    /// A pool of so many tokens, under a cap of 100.
    fn capped(amount: &str) -> Economy {
        let table = vec![amount.parse().unwrap()];
        let schedule = Schedule::Stages { epochs: 10, table, factor: Fixed::ONE, stages: 1 };
        let split = Split { work: Share::ALL, ..Split::default() };
        let mut economy = Economy::default();
        economy.token.cap = Some(whole(100));
        economy.epochs.streams = vec![Stream { schedule, split, ..Stream::default() }];
        economy
    }

    fn path(economy: &Economy) -> Result<(), String> {
        economy.validate().map_err(|error| error.path)
    }

    #[test]
    fn emission_and_points_share_the_cap() {
        let mut economy = capped("60");
        economy.points.conversion.pool = whole(40);
        assert_eq!(path(&economy), Ok(()));
        economy.points.conversion.pool = whole(41);
        assert_eq!(path(&economy), Err("epochs.streams[0].cap".into()));
        economy.points.conversion.pool = whole(101);
        assert_eq!(path(&economy), Err("points.conversion.pool".into()));
        economy.token.cap = None;
        assert_eq!(path(&economy), Ok(()), "nothing bounds them");
    }

    #[test]
    fn allocations_bound_each_of_them() {
        let part = |name: &str, percent, to| Allocation {
            name: name.into(),
            share: Some(Share::percent(percent)),
            amount: None,
            to,
            vesting: VestingTerms::default(),
            participants_max: None,
        };
        let mut economy = capped("80");
        economy.token.total = Some(whole(100));
        economy.token.allocations =
            vec![part("mined", 80, Recipient::Emission), part("points", 20, Recipient::Conversion)];
        economy.points.conversion.pool = whole(20);
        assert_eq!(path(&economy), Ok(()));
        economy.points.conversion.pool = whole(21);
        assert_eq!(path(&economy), Err("points.conversion.pool".into()));
        economy.points.conversion.pool = whole(0);
        economy.epochs.streams = capped("81").epochs.streams;
        assert_eq!(path(&economy), Err("epochs.streams[0].cap".into()));
    }
}
