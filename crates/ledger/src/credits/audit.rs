//! The invariants of the room.

use crate::audit::require;
use crate::error::AuditError;
use crate::money::{Flow, Vault};
use crate::state::State;

use super::oracle::POSTS_MAX;

/// The reserve holds what the book says, the book's sums lie within the supply's, and samples
/// follow each other without overlap.
pub(crate) fn audit(state: &State) -> Result<(), AuditError> {
    let (book, supply) = (state.credit_book(), state.supply());
    let reserve = state.vault(Vault::CreditReserve);
    require(reserve.tokens == book.reserved && reserve.credits.is_zero(), || {
        format!("the reserve holds {reserve:?}, the book says {}", book.reserved)
    })?;
    let ended = book.settled.add(book.refunded);
    require(book.sold <= supply.granted && ended.is_ok_and(|e| e <= supply.retired), || {
        format!("the book of credits exceeds the supply: {book:?}")
    })?;
    require(state.flow(Flow::Settlement) <= book.paid, || {
        format!("settlements minted more than they paid: {}", book.paid)
    })?;
    let posts = &state.tables.price_posts;
    require(posts.len() <= POSTS_MAX as usize, || format!("{} posts", posts.len()))?;
    require(posts.values().all(|post| !post.price.is_zero()), || "a price of zero".into())?;
    let mut before = 0;
    for (from, sample) in &state.tables.price_samples {
        let sound = *from == sample.from && before <= *from && sample.from <= sample.until;
        require(sound && !sample.price.is_zero(), || format!("sample {sample:?} after {before}"))?;
        before = sample.until;
    }
    Ok(())
}
