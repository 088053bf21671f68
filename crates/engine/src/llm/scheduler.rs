//! The scheduler: one thread that owns the context and runs all jobs in common batches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;

use super::Observer;
use super::choice::{Choice, Phase};
use super::model::{LoadError, Model};
use super::native::{Batch, Context, Pooling, Shape};
use super::prepare::Plan;
use super::slots::Slots;
use super::stream::{Admission, Gauges, Reporter};
use crate::{EngineError, EngineEvent, EngineStream, ModelSpec};

/// What the scheduler is told. Starts are bounded by admission, wakes by the running jobs.
#[derive(Debug)]
pub(super) enum Command {
    /// Run this job.
    Start(Box<Job>),
    /// A reader made room or is gone.
    Wake,
    /// End.
    Stop,
}

/// Where commands go.
pub(super) type Commands = mpsc::Sender<Command>;

/// A job and its reader.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) plan: Plan,
    pub(super) choices: Vec<Choice>,
    pub(super) reporter: Reporter,
    prepared: bool,
    /// Why it broke, if it did: nothing more will be computed for it.
    pub(super) broken: Option<EngineError>,
    admission: Admission,
}

/// Gives a prepared job to the scheduler.
pub(super) fn submit(
    commands: &Commands,
    plan: Plan,
    choices: Vec<Choice>,
    admission: Admission,
) -> Result<EngineStream, EngineError> {
    let (reporter, stream) = Reporter::new(Some(commands.clone()));
    let job = Job { plan, choices, reporter, prepared: false, broken: None, admission };
    commands
        .send(Command::Start(Box::new(job)))
        .map_err(|_| EngineError::Failed("the scheduler ended".into()))?;
    Ok(Box::pin(stream))
}

impl Job {
    /// Choices in a slot.
    fn running(&self) -> usize {
        self.choices.iter().filter(|choice| matches!(choice.phase, Phase::Running(_))).count()
    }

    fn prepare(&mut self, cached: usize) {
        if !std::mem::replace(&mut self.prepared, true) {
            let units_in = self.plan.prompt.len() as u64;
            let units_cached = (cached as u64).min(units_in);
            self.reporter.event(EngineEvent::Prepared { units_in, units_cached });
        }
    }

    fn has_ended(&self) -> bool {
        let complete = || self.choices.iter().all(|choice| choice.phase == Phase::Done);
        self.broken.is_some() || self.reporter.is_abandoned() || complete()
    }

    /// Gives its place back and tells the reader.
    fn end(mut self) {
        self.prepare(0);
        let Self { reporter, admission, broken, .. } = self;
        drop(admission);
        match broken {
            Some(error) => reporter.fail(error),
            None => reporter.end(),
        }
    }

    /// Reports choices whose given tokens had reached their end already.
    fn report_ended_choices(&mut self) {
        let ends: Vec<_> = self
            .choices
            .iter_mut()
            .filter_map(|choice| Some((choice.index, choice.take_end()?)))
            .collect();
        for (choice, (delta, stop)) in ends {
            self.prepare(0);
            if !delta.text.is_empty() {
                self.reporter.event(EngineEvent::Output(delta));
            }
            self.reporter.event(EngineEvent::ChoiceDone { choice, stop });
        }
    }
}

/// See the module.
pub(super) struct Scheduler {
    pub(super) model: Arc<Model>,
    pub(super) context: Context,
    pub(super) slots: Slots,
    /// In the order of their arrival.
    pub(super) jobs: Vec<Job>,
    pub(super) batch: Batch,
    /// The most prompt tokens of one step.
    pub(super) prefill: usize,
    pub(super) hidden_states: bool,
    pub(super) observer: Option<Arc<dyn Observer>>,
    pub(super) gauges: Arc<Gauges>,
    commands: mpsc::Receiver<Command>,
}

impl Scheduler {
    pub(super) fn new(
        model: Arc<Model>,
        spec: &ModelSpec,
        gauges: Arc<Gauges>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<(Self, Commands), LoadError> {
        let count = spec.slots.max(1);
        let shape = Shape {
            positions: model.context(),
            sequences: count,
            batch: spec.prefill.max(1) + u32::from(count),
            outputs: u32::from(count),
            threads: model.threads(),
            pooling: Pooling::None,
        };
        let context = Context::new(model.native(), shape)
            .ok_or(LoadError::Memory { slots: count, context: shape.positions })?;
        let (sender, commands) = mpsc::channel();
        let scheduler = Self {
            model,
            context,
            slots: Slots::new(count),
            jobs: Vec::new(),
            batch: Batch::default(),
            prefill: spec.prefill.max(1) as usize,
            hidden_states: spec.hidden_states,
            observer,
            gauges,
            commands,
        };
        Ok((scheduler, sender))
    }

    /// Runs until told to stop. Each round notices new and abandoned jobs, so that a
    /// cancellation waits for one step at most.
    pub(super) fn run(mut self) {
        let mut idle = true;
        while self.take_commands(idle) {
            self.drop_ended();
            self.assign_slots();
            self.count();
            idle = !self.step();
        }
        for job in &self.jobs {
            job.reporter.fail(EngineError::Failed("the engine was stopped".into()));
        }
    }

    /// Takes in what was said; with `wait`, waits for something. False means stop.
    fn take_commands(&mut self, wait: bool) -> bool {
        let mut next = if wait { self.commands.recv().ok() } else { None };
        if wait && next.is_none() {
            return false;
        }
        loop {
            match next.take() {
                Some(Command::Start(job)) => self.jobs.push(*job),
                Some(Command::Stop) => return false,
                Some(Command::Wake) | None => {}
            }
            match self.commands.try_recv() {
                Ok(command) => next = Some(command),
                Err(mpsc::TryRecvError::Empty) => return true,
                Err(mpsc::TryRecvError::Disconnected) => return false,
            }
        }
    }

    /// Ends what is complete, broken or read by nobody. Its reader hears of the end when
    /// slots, place and gauges are given back already.
    pub(super) fn drop_ended(&mut self) {
        self.jobs.iter_mut().for_each(Job::report_ended_choices);
        let ended: Vec<Job> = self.jobs.extract_if(.., |job| job.has_ended()).collect();
        for choice in ended.iter().flat_map(|job| &job.choices) {
            if let Phase::Running(slot) = choice.phase {
                self.slots.release(slot);
            }
        }
        self.count();
        ended.into_iter().for_each(Job::end);
    }

    /// Gives idle slots to waiting choices: to the job with the fewest running choices, and
    /// among those to the one that came first.
    fn assign_slots(&mut self) {
        while self.slots.has_idle() {
            let waiting = (0..self.jobs.len())
                .filter_map(|job| Some((job, self.next_choice(job)?)))
                .min_by_key(|&(job, _)| (self.jobs[job].running(), job));
            let Some((job, choice)) = waiting else { return };
            self.assign(job, choice);
        }
    }

    /// The job's next choice to run. While a choice computes the common prompt the others
    /// wait, and then begin with its cache.
    fn next_choice(&self, job: usize) -> Option<usize> {
        let choices = &self.jobs[job].choices;
        let computing = choices.iter().any(|choice| match choice.phase {
            Phase::Running(slot) => self.slots.held(slot) < choice.prompt(),
            Phase::Waiting | Phase::Done => false,
        });
        let waiting = || choices.iter().position(|choice| choice.phase == Phase::Waiting);
        (!computing).then(waiting).flatten()
    }

    fn assign(&mut self, job: usize, choice: usize) {
        let job = &mut self.jobs[job];
        let choice = &mut job.choices[choice];
        let Some(found) = self.slots.assign(&choice.tokens) else { return };
        if let Some(source) = found.copy_from {
            self.context.copy(source, found.slot);
        }
        let kept = self.context.keep(found.slot, found.cached);
        self.slots.truncate(found.slot, kept);
        choice.phase = Phase::Running(found.slot);
        job.prepare(kept);
    }

    fn count(&self) {
        let active = self.jobs.iter().filter(|job| job.running() > 0).count();
        let queued = self.jobs.len() - active;
        self.gauges.active.store(u32::try_from(active).unwrap_or(u32::MAX), Relaxed);
        self.gauges.queued.store(u32::try_from(queued).unwrap_or(u32::MAX), Relaxed);
    }
}
