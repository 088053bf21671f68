//! What stays the same over all attempts at a job.

use std::sync::Arc;

use remuda_ledger::Header;
use remuda_net::protocol::job::{FRAME_BYTES_MAX, Open};
use remuda_types::job::{Embed, JobInput, Prompt, Resume, commit_input};
use remuda_types::{
    Canonical as _, ChannelId, Credits, Hash, JobId, ManifestHash, ModelOffer, NetworkId, Order,
    OrderId, Price, SecretKey, Seed, SeedSource,
};

use crate::channels::worst_case;
use crate::{RunError, RunRequest};

/// A chat template and special tokens add at most so many units to the input's bytes.
const TEMPLATE_UNITS_MAX: u64 = 4096;
/// The longest input, in canonical bytes: a resumed job must fit a frame, too.
const INPUT_BYTES_MAX: usize = FRAME_BYTES_MAX / 2;
/// No tokenizer puts more bytes than this into one token on average over a whole input.
const BYTES_PER_TOKEN_MAX: usize = 32;

/// A job, before and between its attempts.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    pub(super) order: Order,
    pub(super) payer: Arc<SecretKey>,
    pub(super) input_bytes: u64,
    pub(super) commitment: Hash,
    pub(super) network: NetworkId,
    caller_seed: Option<i64>,
    /// The opening message; the parts that change are set for each attempt.
    pub(super) open: Box<Open>,
}

impl Job {
    /// # Errors
    /// [`RunError::InvalidInput`].
    pub(super) fn new(request: RunRequest) -> Result<Self, RunError> {
        let RunRequest { payer, model, input, seed, max_price, manifest } = request;
        input.validate().map_err(|invalid| RunError::InvalidInput {
            parameter: Some(invalid.parameter.to_owned()),
            reason: invalid.reason,
        })?;
        let canonical = input.to_canonical();
        if canonical.len() > INPUT_BYTES_MAX {
            let reason = format!("the input has more than {INPUT_BYTES_MAX} bytes");
            return Err(RunError::InvalidInput { parameter: None, reason });
        }
        let id = OrderId(Hash(rand::random()));
        let context = least_context(&input);
        let order = Order { id, kind: input.kind(), model, manifest, context, max_price };
        let salt = rand::random();
        let job = JobId::derive(&id);
        let open = Box::new(Open { job, salt, input, ..blank() });
        Ok(Self {
            id: job,
            order,
            payer,
            input_bytes: canonical.len() as u64,
            commitment: commit_input(&canonical, &salt),
            network: NetworkId::default(),
            caller_seed: seed,
            open,
        })
    }

    /// Binds the job to a network and its draws to a seed.
    pub(super) fn bind(&mut self, head: &Header) {
        self.network = head.network;
        (self.open.seed, self.open.seed_source) = match self.caller_seed {
            Some(number) => (Seed::from_caller(number), SeedSource::Caller(number)),
            None => {
                let nonce = Hash(rand::random());
                let seed = Seed::from_beacon(&head.beacon, &self.id, &nonce.0);
                (seed, SeedSource::Beacon { height: head.height, nonce })
            }
        };
    }

    pub(super) const fn input(&self) -> &JobInput {
        &self.open.input
    }

    pub(super) const fn choices(&self) -> u16 {
        match self.input() {
            JobInput::Generate(generate) => generate.choices,
            JobInput::Embed(_) => 1,
        }
    }

    /// The most input units that a provider may honestly count.
    pub(super) fn units_in_max(&self, offer: &ModelOffer) -> u64 {
        let by_bytes = self.input_bytes + TEMPLATE_UNITS_MAX;
        match self.input() {
            JobInput::Generate(_) => by_bytes.min(offer.context.into()),
            JobInput::Embed(_) => by_bytes,
        }
    }

    /// The most that a fresh attempt, or one that resumes `resumed` units, may cost.
    pub(super) fn worst_case(&self, offer: &ModelOffer, resumed: Option<u64>) -> Credits {
        let units_out = match self.input() {
            JobInput::Generate(it) => {
                u64::from(it.choices) * u64::from(it.max_output.min(offer.context))
            }
            JobInput::Embed(_) => 0,
        };
        match resumed {
            None => worst_case(&offer.price, self.units_in_max(offer), units_out),
            Some(resumed) => worst_case(&offer.price, 0, units_out.saturating_sub(resumed)),
        }
    }
}

/// Stands in for the opening message while it is sent.
pub(super) fn blank() -> Open {
    Open {
        job: JobId::default(),
        attempt: 0,
        manifest: ManifestHash::default(),
        price: Price::default(),
        channel: ChannelId::default(),
        channel_use: None,
        seed: Seed(Hash::default()),
        seed_source: SeedSource::Caller(0),
        salt: [0; 32],
        input: JobInput::Embed(Embed { inputs: Vec::new() }),
        resume: Resume::default(),
    }
}

/// The least context that the input needs, whatever the tokenizer: only the provider can count
/// exactly.
fn least_context(input: &JobInput) -> u32 {
    let bytes = |length: usize| length / BYTES_PER_TOKEN_MAX;
    let units = match input {
        JobInput::Generate(it) => match &it.prompt {
            Prompt::Tokens(tokens) => tokens.len(),
            Prompt::Text(text) => bytes(text.len()),
            Prompt::Chat(chat) => chat.messages.iter().map(|it| bytes(it.content.len())).sum(),
        },
        JobInput::Embed(it) => it.inputs.iter().map(|text| bytes(text.len())).max().unwrap_or(0),
    };
    u32::try_from(units).unwrap_or(u32::MAX).saturating_add(1)
}
