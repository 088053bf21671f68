//! What is offered, which engine runs it, and how many jobs each engine may hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use remuda_engine::{Engine, ServedModel};
use remuda_types::{Load, ManifestHash, ModelOffer};

use crate::config::OfferedModel;
use crate::error::StartError;
use crate::status::ModelStatus;

/// The offered models and their engines.
pub(crate) struct Catalogue {
    engines: Vec<Arc<Seats>>,
    offered: Vec<OfferedModel>,
}

/// An engine and the jobs that it holds.
pub(crate) struct Seats {
    pub(crate) engine: Arc<dyn Engine>,
    taken: AtomicU32,
    queue: u32,
}

/// A job's place in an engine; given back when dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
}

impl Seat {
    pub(crate) fn engine(&self) -> &Arc<dyn Engine> {
        &self.seats.engine
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Seats {
    fn places(&self) -> u32 {
        self.engine.load().slots.saturating_add(self.queue)
    }

    /// Takes a place, if one is free.
    fn take(self: &Arc<Self>) -> Option<Seat> {
        let places = self.places();
        let take = |taken: u32| (taken < places).then(|| taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(Seat { seats: Arc::clone(self) })
    }

    fn taken(&self) -> u32 {
        self.taken.load(Ordering::Acquire)
    }

    fn serves(&self, manifest: &ManifestHash) -> Option<ServedModel> {
        self.engine.models().into_iter().find(|model| model.manifest == *manifest)
    }

    /// Jobs by our own count: the engine learns of a job a little later.
    fn load(&self) -> Load {
        let slots = self.engine.load().slots;
        let taken = self.taken();
        Load { active: taken.min(slots), queued: taken.saturating_sub(slots), slots }
    }
}

/// Why no engine takes a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSeat {
    /// None serves the model now.
    NotServed,
    /// All that serve it are full.
    Full,
}

impl Catalogue {
    /// # Errors
    /// When nothing is offered, or something that no engine serves.
    pub(crate) fn new(
        engines: Vec<Arc<dyn Engine>>,
        offered: Vec<OfferedModel>,
        queue: u32,
    ) -> Result<Self, StartError> {
        if offered.is_empty() {
            return Err(StartError::NoModels);
        }
        let seat = |engine| Arc::new(Seats { engine, taken: AtomicU32::new(0), queue });
        let catalogue = Self { engines: engines.into_iter().map(seat).collect(), offered };
        for model in &catalogue.offered {
            if catalogue.engines.iter().all(|seats| seats.serves(&model.manifest).is_none()) {
                let (name, manifest) = (model.name.clone(), model.manifest);
                return Err(StartError::NotServed { name, manifest });
            }
        }
        Ok(catalogue)
    }

    /// The offer of this model, if there is one.
    pub(crate) fn offered(&self, manifest: &ManifestHash) -> Option<&OfferedModel> {
        self.offered.iter().find(|model| model.manifest == *manifest)
    }

    /// A place in the least loaded engine that serves this model.
    pub(crate) fn seat(&self, manifest: &ManifestHash) -> Result<(Seat, ServedModel), NoSeat> {
        let mut serving: Vec<_> = self
            .engines
            .iter()
            .filter_map(|seats| seats.serves(manifest).map(|model| (seats, model)))
            .collect();
        if serving.is_empty() {
            return Err(NoSeat::NotServed);
        }
        serving.sort_by_key(|(seats, _)| seats.taken());
        let seated = |(seats, model): (&Arc<Seats>, _)| seats.take().map(|seat| (seat, model));
        serving.into_iter().find_map(seated).ok_or(NoSeat::Full)
    }

    /// What is announced: the offered models that an engine serves now.
    pub(crate) fn models(&self) -> Vec<ModelStatus> {
        self.offered.iter().filter_map(|offered| self.model(offered)).collect()
    }

    fn model(&self, offered: &OfferedModel) -> Option<ModelStatus> {
        let serving: Vec<_> = self
            .engines
            .iter()
            .filter_map(|seats| seats.serves(&offered.manifest).map(|served| (seats, served)))
            .collect();
        let (_, served) = serving.first()?.clone();
        let load = serving.iter().fold(Load::default(), |sum, (seats, _)| add(sum, seats.load()));
        let offer = ModelOffer {
            name: offered.name.clone(),
            manifest: offered.manifest,
            kinds: served.kinds,
            context: served.context,
            price: offered.price,
            numerics: served.numerics,
        };
        Some(ModelStatus { offer, load })
    }

    /// The load of all engines together.
    pub(crate) fn load(&self) -> Load {
        self.engines.iter().fold(Load::default(), |sum, seats| add(sum, seats.load()))
    }

    /// Jobs that are held now.
    pub(crate) fn jobs(&self) -> u32 {
        self.engines.iter().map(|seats| seats.taken()).sum()
    }
}

fn add(left: Load, right: Load) -> Load {
    Load {
        active: left.active + right.active,
        queued: left.queued + right.queued,
        slots: left.slots + right.slots,
    }
}
