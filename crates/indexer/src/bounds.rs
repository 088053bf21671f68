//! How large an announcement may be. Checked before its signature, which costs more.

use remuda_types::{Announcement, ModelOffer, Signed};

use crate::Refused;

/// The longest announcement, encoded, in bytes.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 32 << 10;
/// The most models of one provider.
pub const MODELS_MAX: usize = 64;
/// The most direct addresses of one provider.
pub const DIRECT_ADDRESSES_MAX: usize = 8;
/// The longest single text, in bytes.
pub const TEXT_BYTES_MAX: usize = 512;

pub(crate) fn check(signed: &Signed<Announcement>) -> Result<(), Refused> {
    let it = &signed.body;
    let short = |text: &str| text.len() <= TEXT_BYTES_MAX;
    let optional = |text: &Option<String>| text.as_deref().is_none_or(short);
    let offer = |it: &ModelOffer| short(&it.name) && optional(&it.numerics) && it.kinds.len() <= 8;
    let in_bounds = it.models.len() <= MODELS_MAX
        && it.address.direct.len() <= DIRECT_ADDRESSES_MAX
        && optional(&it.address.relay)
        && short(&it.device.0)
        && short(&it.software)
        && it.models.iter().all(offer)
        && borsh::object_length(signed).is_ok_and(|bytes| bytes <= ANNOUNCEMENT_BYTES_MAX);
    if in_bounds { Ok(()) } else { Err(Refused::TooLarge) }
}
