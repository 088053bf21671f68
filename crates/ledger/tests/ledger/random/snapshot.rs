//! What is compared from block to block.

use std::collections::BTreeMap;

use remuda_ledger::{Action, Answer, Applied, Channel, Query, Supply};
use remuda_types::{ChannelId, Credits};

use super::{World, actor, credits, governance, key};

/// What must not fall or change from block to block.
pub(super) struct Snapshot {
    supply: Supply,
    pub(super) channels: BTreeMap<ChannelId, Channel>,
    earned: Vec<Credits>,
    trade: remuda_ledger::credits::Book,
    governance: governance::Measures,
}

impl Snapshot {
    pub(super) fn of(world: &World) -> Self {
        let mut channels = BTreeMap::new();
        for provider in [key(20), key(21)] {
            let query = Query::ChannelsOfProvider(provider.public());
            if let Answer::Channels(found) = world.ledger.query(&query) {
                channels.extend(found.into_iter().map(|channel| (channel.id, channel)));
            }
        }
        let earned = (0..8).map(|index| world.account(&actor(index)).earned).collect();
        credits::check(world);
        let trade = credits::status(world).book;
        let governance = governance::measure(world);
        Self { supply: world.supply(), channels, earned, trade, governance }
    }

    /// What holds whatever the rules.
    pub(super) fn check_against(&self, next: &Self) {
        for (id, after) in &next.channels {
            let Some(before) = self.channels.get(id) else { continue };
            assert!(before.redeemed <= after.redeemed && before.deposit <= after.deposit);
            assert_eq!(before.account, after.account);
        }
        self.governance.check(&next.governance);
        assert!(self.supply.minted <= next.supply.minted);
        assert!(self.supply.burned <= next.supply.burned);
        assert!(self.supply.granted <= next.supply.granted);
        assert!(self.supply.retired <= next.supply.retired);
    }

    /// What holds when only grants and channels move money.
    pub(super) fn check_channels_alone(&self, next: &Self, applied: &Applied) {
        let supply = &next.supply;
        assert!(self.supply.minted <= supply.minted && self.supply.burned <= supply.burned);
        assert_eq!(supply.minted.0, supply.tokens.0 + supply.burned.0);
        let held = supply.credits.0 + supply.locked.0 + supply.vaulted.0 + supply.earned.0;
        assert_eq!(supply.granted.0, held + supply.retired.0);
        let (mut granted, mut earned) = (self.supply.granted, self.supply.earned);
        for (transaction, outcome) in applied.block.transactions.iter().zip(&applied.block.outcomes)
        {
            let Ok(effects) = outcome.result() else { continue };
            earned = earned.add(effects.earned).unwrap();
            if let Action::GrantCredits { amount, .. } = transaction.body.action {
                granted = granted.add(amount).unwrap();
            }
        }
        granted = granted.add(next.trade.sold.sub(self.trade.sold).unwrap()).unwrap();
        let settled = next.trade.settled.sub(self.trade.settled).unwrap();
        earned = earned.sub(settled).unwrap();
        // What was earned falls beside that only by fees that were paid of it.
        let ended = supply.retired.sub(self.supply.retired).unwrap();
        assert_eq!(supply.granted, granted);
        assert!(supply.earned <= earned && earned <= supply.earned.add(ended).unwrap());
        let rises = |(before, after)| before <= after;
        assert!(!ended.is_zero() || self.earned.iter().zip(&next.earned).all(rises));
    }
}
