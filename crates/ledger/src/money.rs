//! The only ways in which money comes to be, moves and ends. Every holding is an account's, or
//! a vault's; every change of the supply is named. Rooms write their own records of what a
//! vault owes to whom, and `audit` compares.

use borsh::{BorshDeserialize, BorshSerialize};
use remuda_types::{AccountId, Credits, Tokens};
use serde::{Deserialize, Serialize};

use crate::error::TransactionError;
use crate::state::{Row, State};

/// Money that belongs to no single account: each room holds in its own vault what its records
/// owe to others.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Vault {
    /// The public treasury.
    Treasury,
    /// Tokens that vest.
    Vesting,
    /// Tokens burned for credits that may be minted again before new ones are.
    CreditReserve,
    /// Leases and orders in escrow.
    Escrow,
    /// Earnings held until their dispute window ends.
    Held,
    /// Bonded and unbonding stake.
    Stake,
    /// Rewards of stakers that nobody has taken.
    StakeRewards,
    /// Minted by an epoch, not yet taken.
    EpochRewards,
    /// What points convert to.
    Points,
    /// Deposits of proposals.
    Proposals,
    /// The token side and the credit side of the pool that buy-backs trade with.
    Pool,
    /// Proceeds of node licences, and what their buy-back pays from.
    Licences,
    /// Bonds and disputed amounts.
    Disputes,
    /// Fees that await their split.
    Fees,
    /// Fees kept for checkers, until epochs pay them out.
    CheckerFees,
    /// Bonds of auditors.
    Auditors,
}

/// Who holds money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// An account: its tokens, or its credits to spend.
    Account(AccountId),
    /// An account as one who earns: its tokens, or its earned credits.
    Earner(AccountId),
    /// A vault.
    Vault(Vault),
}

/// What a vault holds.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub struct Purse {
    /// Tokens.
    pub tokens: Tokens,
    /// Credits.
    pub credits: Credits,
}

/// In what a price, an escrow or a fee is counted.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Denomination {
    /// The network's own coin, in base units.
    #[default]
    Token,
    /// Micro-dollars.
    Credit,
}

/// Why tokens came to be or ended: each has its own sum in the state.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[borsh(use_discriminant = false)]
pub enum Flow {
    /// Minted at genesis.
    Genesis,
    /// Minted by an epoch's schedule.
    Emission,
    /// Minted to settle earned credits.
    Settlement,
    /// Minted for points.
    Conversion,
    /// Burned as base fee.
    BaseFee,
    /// Burned for credits.
    CreditPurchase,
    /// Burned as a share of a job's price.
    JobFee,
    /// Burned as a penalty.
    Slash,
    /// Bought back and burned.
    BuyBack,
    /// Burned by its owner, or by a vote.
    Offering,
}

impl Flow {
    /// Whether it makes tokens (else it ends them).
    #[must_use]
    pub const fn is_mint(self) -> bool {
        matches!(self, Self::Genesis | Self::Emission | Self::Settlement | Self::Conversion)
    }
}

type Done = Result<(), TransactionError>;

impl State {
    /// What a vault holds.
    pub(crate) fn vault(&self, vault: Vault) -> Purse {
        self.tables.vaults.get(&vault).copied().unwrap_or_default()
    }

    fn put_vault(&mut self, vault: Vault, purse: Purse) {
        let record = (purse != Purse::default()).then_some(purse);
        self.write(Row::Vault(vault, record));
    }

    /// All that ever flowed for one reason.
    pub(crate) fn flow(&self, flow: Flow) -> Tokens {
        self.tables.flows.get(&flow).copied().unwrap_or_default()
    }

    fn count_flow(&mut self, flow: Flow, amount: Tokens) -> Done {
        let total = self.flow(flow).add(amount)?;
        self.write(Row::Flow(flow, Some(total)));
        Ok(())
    }

    fn add_tokens(&mut self, to: Holder, amount: Tokens) -> Done {
        match to {
            Holder::Account(id) | Holder::Earner(id) => {
                let mut account = self.account(&id);
                account.tokens = account.tokens.add(amount)?;
                self.put_account(id, account);
            }
            Holder::Vault(vault) => {
                let mut purse = self.vault(vault);
                purse.tokens = purse.tokens.add(amount)?;
                self.put_vault(vault, purse);
            }
        }
        Ok(())
    }

    fn take_tokens(&mut self, from: Holder, needed: Tokens) -> Done {
        let short = |available| TransactionError::InsufficientTokens { available, needed };
        match from {
            Holder::Account(id) | Holder::Earner(id) => {
                let mut account = self.account(&id);
                let available = account.tokens;
                account.tokens = available.sub(needed).map_err(|_| short(available))?;
                self.put_account(id, account);
            }
            Holder::Vault(vault) => {
                let mut purse = self.vault(vault);
                let available = purse.tokens;
                purse.tokens = available.sub(needed).map_err(|_| short(available))?;
                self.put_vault(vault, purse);
            }
        }
        Ok(())
    }

    /// Moves tokens. Nothing is no error.
    pub(crate) fn move_tokens(&mut self, from: Holder, to: Holder, amount: Tokens) -> Done {
        if amount.is_zero() {
            return Ok(());
        }
        self.take_tokens(from, amount)?;
        self.add_tokens(to, amount)
    }

    /// Makes tokens. The supply never exceeds the economy's cap.
    pub(crate) fn mint_tokens(&mut self, to: Holder, amount: Tokens, flow: Flow) -> Done {
        debug_assert!(flow.is_mint());
        if amount.is_zero() {
            return Ok(());
        }
        let mut supply = self.supply();
        supply.tokens = supply.tokens.add(amount)?;
        supply.minted = supply.minted.add(amount)?;
        if let Some(cap) = self.economy().token.cap
            && supply.tokens > cap
        {
            return Err(TransactionError::SupplyCap { cap });
        }
        self.put_supply(supply);
        self.count_flow(flow, amount)?;
        self.add_tokens(to, amount)
    }

    /// How many tokens may still be minted under the economy's cap.
    pub(crate) fn mintable(&self) -> Tokens {
        let cap = self.economy().token.cap.unwrap_or(Tokens(u128::MAX));
        cap.excess_over(self.supply().tokens)
    }

    /// Ends tokens.
    pub(crate) fn burn_tokens(&mut self, from: Holder, amount: Tokens, flow: Flow) -> Done {
        debug_assert!(!flow.is_mint());
        if amount.is_zero() {
            return Ok(());
        }
        self.take_tokens(from, amount)?;
        let mut supply = self.supply();
        supply.tokens = supply.tokens.sub(amount)?;
        supply.burned = supply.burned.add(amount)?;
        self.put_supply(supply);
        self.count_flow(flow, amount)
    }

    /// Adds credits to a holding and to its sum in the supply.
    fn add_credits(&mut self, to: Holder, amount: Credits) -> Done {
        let mut supply = self.supply();
        match to {
            Holder::Account(id) => {
                let mut account = self.account(&id);
                account.credits = account.credits.add(amount)?;
                supply.credits = supply.credits.add(amount)?;
                self.put_account(id, account);
            }
            Holder::Earner(id) => {
                let mut account = self.account(&id);
                account.earned = account.earned.add(amount)?;
                supply.earned = supply.earned.add(amount)?;
                self.put_account(id, account);
            }
            Holder::Vault(vault) => {
                let mut purse = self.vault(vault);
                purse.credits = purse.credits.add(amount)?;
                supply.vaulted = supply.vaulted.add(amount)?;
                self.put_vault(vault, purse);
            }
        }
        self.put_supply(supply);
        Ok(())
    }

    /// Takes credits from a holding and from its sum in the supply.
    fn take_credits(&mut self, from: Holder, needed: Credits) -> Done {
        let mut supply = self.supply();
        let short = |available| TransactionError::InsufficientCredits { available, needed };
        match from {
            Holder::Account(id) => {
                let mut account = self.account(&id);
                let available = account.credits;
                account.credits = available.sub(needed).map_err(|_| short(available))?;
                supply.credits = supply.credits.sub(needed)?;
                self.put_account(id, account);
            }
            Holder::Earner(id) => {
                let mut account = self.account(&id);
                let available = account.earned;
                account.earned = available.sub(needed).map_err(|_| short(available))?;
                supply.earned = supply.earned.sub(needed)?;
                self.put_account(id, account);
            }
            Holder::Vault(vault) => {
                let mut purse = self.vault(vault);
                let available = purse.credits;
                purse.credits = available.sub(needed).map_err(|_| short(available))?;
                supply.vaulted = supply.vaulted.sub(needed)?;
                self.put_vault(vault, purse);
            }
        }
        self.put_supply(supply);
        Ok(())
    }

    /// Moves credits. Nothing is no error.
    pub(crate) fn move_credits(&mut self, from: Holder, to: Holder, amount: Credits) -> Done {
        if amount.is_zero() {
            return Ok(());
        }
        self.take_credits(from, amount)?;
        self.add_credits(to, amount)
    }

    /// Makes credits: a grant, or against burned tokens.
    pub(crate) fn mint_credits(&mut self, to: Holder, amount: Credits) -> Done {
        let mut supply = self.supply();
        supply.granted = supply.granted.add(amount)?;
        self.put_supply(supply);
        self.add_credits(to, amount)
    }

    /// Ends credits: they were settled in tokens, or paid out.
    pub(crate) fn retire_credits(&mut self, from: Holder, amount: Credits) -> Done {
        self.take_credits(from, amount)?;
        let mut supply = self.supply();
        supply.retired = supply.retired.add(amount)?;
        self.put_supply(supply);
        Ok(())
    }

    /// Moves an amount of either denomination.
    pub(crate) fn move_amount(
        &mut self,
        from: Holder,
        to: Holder,
        amount: u128,
        denomination: Denomination,
    ) -> Done {
        match denomination {
            Denomination::Token => self.move_tokens(from, to, Tokens(amount)),
            Denomination::Credit => {
                let amount = u64::try_from(amount).map_err(|_| TransactionError::Overflow)?;
                self.move_credits(from, to, Credits(amount))
            }
        }
    }
}
