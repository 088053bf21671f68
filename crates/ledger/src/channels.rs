//! Channels: credits locked toward one provider, taken by cumulative vouchers.
//!
//! A channel is in the state from opening until it is closed or expired; then only its name
//! is remembered for a while, so that its vouchers are refused as those of a closed channel
//! and nobody opens it again by accident. `redeemed ≤ deposit` always, and `redeemed` never
//! falls.

use remuda_types::{AccountId, ChannelId, Credits, NodeId, Signed, TimestampMs, Voucher};

use crate::block::Effects;
use crate::context::{Context, Verdict, is_full};
use crate::error::TransactionError;
use crate::escrow::{Behind, FeeRule, Payment};
use crate::money::{Denomination, Holder};
use crate::state::{Row, State};
use crate::{Channel, REDEEM_VOUCHERS_MAX};

/// The most names of closed channels that one block forgets.
const FORGET_PER_BLOCK_MAX: usize = 1_000;

impl Channel {
    /// What the provider has not taken.
    #[must_use]
    pub const fn remaining(&self) -> Credits {
        self.deposit.excess_over(self.redeemed)
    }

    /// From when anyone may expire it, as it stands.
    #[must_use]
    pub fn ends_at(&self) -> TimestampMs {
        self.closes_at.map_or(self.expires_at, |closes_at| closes_at.min(self.expires_at))
    }
}

impl State {
    pub(crate) fn channel(&self, id: ChannelId) -> Result<Channel, TransactionError> {
        match self.tables.channels.get(&id) {
            Some(channel) => Ok(channel.clone()),
            None if self.tables.closed.contains_key(&id) => {
                Err(TransactionError::ChannelClosed { channel: id })
            }
            None => Err(TransactionError::UnknownChannel { channel: id }),
        }
    }

    fn put_channel(&mut self, channel: Channel) {
        self.write(Row::Channel(channel.id, Some(channel)));
    }

    fn check_name_free(&self, id: ChannelId) -> Result<(), TransactionError> {
        if self.tables.channels.contains_key(&id) || self.tables.closed.contains_key(&id) {
            return Err(TransactionError::ChannelExists { channel: id });
        }
        Ok(())
    }

    /// Pays the provider at block time `now` what `voucher` promises beyond what it took
    /// before; nothing for an old one.
    fn take(
        &mut self,
        channel: &mut Channel,
        voucher: &Voucher,
        now: TimestampMs,
    ) -> Result<Credits, TransactionError> {
        let paid = voucher.cumulative.excess_over(channel.redeemed);
        if paid.is_zero() {
            return Ok(paid);
        }
        channel.redeemed = voucher.cumulative;
        self.settle(channel, paid, Credits::ZERO)?;
        self.pay_channel(channel, paid, now)?;
        self.put_channel(channel.clone());
        Ok(paid)
    }

    /// Pays the provider: at once, or less fees and after the hold where the profile says so.
    fn pay_channel(
        &mut self,
        channel: &Channel,
        paid: Credits,
        now: TimestampMs,
    ) -> Result<(), TransactionError> {
        let economy = self.economy();
        let (hold, fee) = (economy.escrow.hold, economy.escrow.fees.credit);
        if hold.ms() == 0 && fee == FeeRule::default() {
            self.pay_credits(self.reward_account(&channel.provider), paid)?;
            return self.note_work(channel.provider, paid);
        }
        self.unlock_credits(channel.account, paid)?;
        self.pay_provider(&Payment {
            from: Holder::Account(channel.account),
            provider: channel.provider,
            payer: channel.account,
            behind: Behind::Channel(channel.id),
            amount: paid.0.into(),
            denomination: Denomination::Credit,
            hold,
            now,
        })
    }

    /// Gives the rest back and forgets all but the name.
    fn end(&mut self, channel: &Channel, now: TimestampMs) -> Result<Credits, TransactionError> {
        let rest = channel.remaining();
        self.settle(channel, Credits::ZERO, rest)?;
        self.unlock_credits(channel.account, rest)?;
        self.write(Row::Channel(channel.id, None));
        self.write(Row::Closed(channel.id, Some(now)));
        Ok(rest)
    }

    /// Forgets names of channels that were closed longer than `memory_ms` ago.
    pub(crate) fn forget_closed(&mut self, now: TimestampMs, memory_ms: u64) {
        let old: Vec<_> = self
            .indexes
            .closed_by_time
            .iter()
            .take(FORGET_PER_BLOCK_MAX)
            .take_while(|(closed_at, _)| closed_at.saturating_add(memory_ms) <= now)
            .map(|(_, id)| *id)
            .collect();
        for id in old {
            self.write(Row::Closed(id, None));
        }
    }
}

/// What a payer asks for when it opens a channel.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) nonce: [u8; 32],
    pub(crate) provider: NodeId,
    pub(crate) client: NodeId,
    pub(crate) deposit: Credits,
    pub(crate) expires_at: TimestampMs,
}

/// The signer locks credits: its account's when it is a session key, else its own.
pub(crate) fn open(state: &mut State, context: &Context<'_>, opening: &Opening) -> Verdict {
    let payer = context.signer;
    if opening.provider == payer {
        return Err(TransactionError::SelfChannel);
    }
    check_end(context, opening.expires_at)?;
    let id = ChannelId::derive(&payer, &opening.provider, &opening.nonce);
    state.check_name_free(id)?;
    check_room(state, context)?;
    let session = state.session(&payer);
    let account = session.as_ref().map_or_else(|| context.account(), |session| session.account);
    // A channel does not outlive its session.
    let latest = session.map_or(TimestampMs::MAX, |session| session.expires_at);
    add_deposit(state, context, account, opening.deposit)?;
    state.put_channel(Channel {
        id,
        payer,
        account,
        provider: opening.provider,
        client: opening.client,
        deposit: opening.deposit,
        redeemed: Credits::ZERO,
        expires_at: opening.expires_at.min(latest),
        closes_at: None,
    });
    Ok(Effects::default())
}

fn check_end(context: &Context<'_>, expires_at: TimestampMs) -> Result<(), TransactionError> {
    let now = context.now;
    let latest = now.saturating_add(context.parameters.channel_life_ms_max);
    if expires_at <= now || expires_at > latest {
        return Err(TransactionError::ChannelEnd { now, latest });
    }
    Ok(())
}

fn check_room(state: &State, context: &Context<'_>) -> Result<(), TransactionError> {
    let most = context.parameters.channels_per_payer_max;
    let open = state.indexes.channels_of_payer.get(&context.signer).map_or(0, |open| open.len());
    if is_full(open, most) { Err(TransactionError::ChannelLimit { most }) } else { Ok(()) }
}

fn add_deposit(
    state: &mut State,
    context: &Context<'_>,
    account: AccountId,
    amount: Credits,
) -> Result<(), TransactionError> {
    if amount.is_zero() {
        return Err(TransactionError::ZeroAmount);
    }
    state.reserve(&context.signer, &account, amount, context.now)?;
    state.lock_credits(account, amount)
}

/// The payer locks more.
pub(crate) fn top_up(
    state: &mut State,
    context: &Context<'_>,
    id: ChannelId,
    amount: Credits,
) -> Verdict {
    let mut channel = state.channel(id)?;
    if channel.payer != context.signer {
        return Err(TransactionError::NotPayer { channel: id });
    }
    if channel.closes_at.is_some() || context.now >= channel.expires_at {
        return Err(TransactionError::ChannelEnding { channel: id });
    }
    channel.deposit = channel.deposit.add(amount)?;
    add_deposit(state, context, channel.account, amount)?;
    state.put_channel(channel);
    Ok(Effects::default())
}

/// The payer, or its account, wants the rest back. Asking again does not prolong the grace.
pub(crate) fn request_close(state: &mut State, context: &Context<'_>, id: ChannelId) -> Verdict {
    let mut channel = state.channel(id)?;
    if channel.payer != context.signer && channel.account != context.account() {
        return Err(TransactionError::NotPayer { channel: id });
    }
    let closes_at = context.now.saturating_add(context.parameters.close_grace_ms);
    channel.closes_at.get_or_insert(closes_at);
    state.put_channel(channel);
    Ok(Effects::default())
}

/// The provider takes what vouchers promise. One bad voucher refuses them all; an old one
/// pays nothing. It can redeem as long as the channel stands, even past its time.
pub(crate) fn redeem(
    state: &mut State,
    context: &Context<'_>,
    vouchers: &[Signed<Voucher>],
) -> Verdict {
    if vouchers.is_empty() || vouchers.len() > REDEEM_VOUCHERS_MAX {
        let most = u32::try_from(REDEEM_VOUCHERS_MAX).unwrap_or(u32::MAX);
        return Err(TransactionError::VoucherCount { most });
    }
    let mut earned = Credits::ZERO;
    for (index, voucher) in vouchers.iter().enumerate() {
        let mut channel = of_provider(state, context, voucher.body.channel)?;
        check_voucher(context, &channel, voucher, index)?;
        earned = earned.add(state.take(&mut channel, &voucher.body, context.now)?)?;
    }
    Ok(Effects { earned, returned: Credits::ZERO })
}

fn of_provider(
    state: &State,
    context: &Context<'_>,
    id: ChannelId,
) -> Result<Channel, TransactionError> {
    let channel = state.channel(id)?;
    if channel.provider != context.signer {
        return Err(TransactionError::NotProvider { channel: id });
    }
    Ok(channel)
}

fn check_voucher(
    context: &Context<'_>,
    channel: &Channel,
    voucher: &Signed<Voucher>,
    index: usize,
) -> Result<(), TransactionError> {
    let holds = context.voucher_holds.get(index).copied().unwrap_or(false);
    if voucher.signer != channel.payer || !holds {
        return Err(TransactionError::VoucherForged { channel: channel.id });
    }
    if voucher.body.cumulative > channel.deposit {
        return Err(TransactionError::VoucherBeyondDeposit {
            channel: channel.id,
            promised: voucher.body.cumulative,
            deposit: channel.deposit,
        });
    }
    Ok(())
}

/// The provider takes its last voucher and gives the rest back at once.
pub(crate) fn close(
    state: &mut State,
    context: &Context<'_>,
    id: ChannelId,
    voucher: Option<&Signed<Voucher>>,
) -> Verdict {
    let mut channel = of_provider(state, context, id)?;
    let mut earned = Credits::ZERO;
    if let Some(voucher) = voucher {
        if voucher.body.channel != id {
            let voucher = voucher.body.channel;
            return Err(TransactionError::VoucherOfOtherChannel { channel: id, voucher });
        }
        check_voucher(context, &channel, voucher, 0)?;
        earned = state.take(&mut channel, &voucher.body, context.now)?;
    }
    let returned = state.end(&channel, context.now)?;
    Ok(Effects { earned, returned })
}

/// Anyone ends a channel whose time is over.
pub(crate) fn expire(state: &mut State, context: &Context<'_>, id: ChannelId) -> Verdict {
    let channel = state.channel(id)?;
    let until = channel.ends_at();
    if context.now < until {
        return Err(TransactionError::ChannelNotOver { channel: id, until });
    }
    let returned = state.end(&channel, context.now)?;
    Ok(Effects { earned: Credits::ZERO, returned })
}
