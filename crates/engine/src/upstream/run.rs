//! From the server's events to ours: metering, resumption, tool calls.

use std::collections::VecDeque;

use remuda_types::job::{Delta, Generate, Resume, TokenLogprob, ToolCallDelta};
use remuda_types::{Seed, StopReason};

use super::sse::EventTooLong;
use super::wire::{Chunk, ChunkCall, ChunkChoice, Usage, WireError};
use crate::text::{CALL_BYTES_MAX, CALLS_MAX, call_id};
use crate::{EngineError, EngineEvent};

impl From<EventTooLong> for EngineError {
    fn from(error: EventTooLong) -> Self {
        Self::Failed(format!("the server's stream: {error}"))
    }
}

/// The state of one generation. Pure: data in, events out.
#[derive(Debug)]
pub(super) struct Run {
    seed: Seed,
    choices: Vec<Choice>,
    /// What a lying server could add to a bill ends here.
    units_max: u64,
    /// Units of input, should the server not count them.
    estimate: u64,
    prepared: bool,
    usage: Option<Usage>,
    finished: bool,
    events: VecDeque<EngineEvent>,
}

#[derive(Debug, Default)]
struct Choice {
    /// Text that the client has already.
    known: String,
    /// How much of it came again.
    matched: usize,
    /// Units that the client has already.
    known_units: u64,
    /// Already ended in an earlier attempt: nothing is said of it again.
    was_finished: bool,
    /// Units that the server delivered.
    counted: u64,
    /// Units that were told to the client, in this attempt or before.
    reported: u64,
    call: Option<Call>,
    calls: u16,
    stop: Option<StopReason>,
}

#[derive(Debug, Default)]
struct Call {
    index: u16,
    name: String,
    arguments: String,
}

impl Run {
    /// `estimate` is the input's size in units, to go by if the server does not count.
    pub(super) fn new(job: &Generate, seed: Seed, resume: &Resume, estimate: u64) -> Self {
        let mut choices: Vec<Choice> = (0..job.choices).map(|_| Choice::default()).collect();
        for (choice, known) in choices.iter_mut().zip(&resume.choices) {
            choice.known.clone_from(&known.text);
            choice.known_units = known.units.into();
            choice.reported = known.units.into();
            choice.was_finished = known.finished.is_some();
        }
        let units_max = u64::from(job.max_output);
        let (usage, events) = (None, VecDeque::new());
        Self { seed, choices, units_max, estimate, prepared: false, usage, finished: false, events }
    }

    /// The next event that is ready.
    pub(super) fn pop(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// Whether the job has ended; events may still be ready.
    pub(super) const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Says how large the input is, if that was not said yet.
    pub(super) fn prepare(&mut self) {
        if !std::mem::replace(&mut self.prepared, true) {
            let counted = self.usage.filter(|usage| usage.prompt_tokens > 0);
            let units_in = counted.map_or(self.estimate, |usage| usage.prompt_tokens);
            let units_cached = counted.map_or(0, |usage| usage.cached());
            self.events.push_back(EngineEvent::Prepared { units_in, units_cached });
        }
    }

    /// Takes in the data of one event.
    pub(super) fn data(&mut self, data: &[u8]) -> Result<(), EngineError> {
        if self.finished {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.end();
        }
        let chunk: Chunk<'_> = serde_json::from_slice(data).map_err(|error| {
            EngineError::Failed(format!("the server sent an event that is no chunk: {error}"))
        })?;
        if let Some(error) = chunk.error {
            return Err(stream_error(&error));
        }
        self.usage = chunk.usage.or(self.usage);
        self.prepare();
        for choice in chunk.choices {
            self.choice(choice)?;
        }
        Ok(())
    }

    /// The stream ended. Fine without `[DONE]` if every choice said why it ended.
    pub(super) fn end_of_stream(&mut self) -> Result<(), EngineError> {
        if self.finished { Ok(()) } else { self.end() }
    }

    fn choice(&mut self, chunk: ChunkChoice<'_>) -> Result<(), EngineError> {
        let only = self.choices.len() == 1;
        let index = chunk.index;
        let Some(choice) = self.choices.get_mut(usize::from(index)) else {
            return Err(EngineError::Failed(format!("the server sent a choice {index}")));
        };
        let (content, calls) = match chunk.delta {
            Some(delta) => (delta.content, delta.tool_calls.unwrap_or_default()),
            None => (None, Vec::new()),
        };
        let text = content.or(chunk.text).unwrap_or_default().0;
        let logprobs = chunk.logprobs.map(|logprobs| logprobs.entries()).unwrap_or_default();
        let piece_units = u64::from(!text.is_empty() || !calls.is_empty());
        let units = (logprobs.len() as u64).max(piece_units);
        let counted = self.usage.filter(|_| only).map_or(0, |usage| usage.completion_tokens);
        choice.counted = (choice.counted + units).max(counted).min(self.units_max);
        choice.text(index, &text, logprobs, &mut self.events)?;
        for call in calls {
            choice.call(index, &self.seed, call, &mut self.events)?;
        }
        if let Some(reason) = chunk.finish_reason {
            choice.stop = Some(match &*reason.0 {
                "length" => StopReason::Length,
                "tool_calls" | "function_call" => StopReason::ToolCalls,
                _ => StopReason::Stop,
            });
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), EngineError> {
        self.prepare();
        if self.choices.iter().any(|choice| choice.stop.is_none()) {
            let reason = "the server's stream ended before the answer did";
            return Err(EngineError::Failed(reason.to_owned()));
        }
        self.reconcile();
        for (index, choice) in (0..).zip(&mut self.choices) {
            choice.finish(index, &self.seed, &mut self.events)?;
        }
        self.finished = true;
        Ok(())
    }

    /// What the server counted beyond the pieces it sent (several tokens in a piece) is
    /// added to the choices in order, up to what each may have.
    fn reconcile(&mut self) {
        let pieces: u64 = self.choices.iter().map(|choice| choice.counted).sum();
        let Some(usage) = self.usage else {
            tracing::debug!(pieces, "the server counted no tokens; each piece is one unit");
            return;
        };
        let mut missing = usage.completion_tokens.saturating_sub(pieces);
        for choice in &mut self.choices {
            let added = missing.min(self.units_max.saturating_sub(choice.counted));
            choice.counted += added;
            missing -= added;
        }
    }
}

impl Choice {
    /// Takes in text: compares what the client has, gives out what it lacks.
    fn text(
        &mut self,
        index: u16,
        text: &str,
        logprobs: Vec<TokenLogprob>,
        events: &mut VecDeque<EngineEvent>,
    ) -> Result<(), EngineError> {
        let known = &self.known.as_bytes()[self.matched..];
        let again = known.len().min(text.len());
        if known[..again] != text.as_bytes()[..again] {
            return Err(EngineError::CannotResume("the server answers differently now".into()));
        }
        self.matched += again;
        // `known` ends at a character's end; so does what equals it.
        let rest = text.get(again..).unwrap_or_default();
        if !rest.is_empty() && !self.was_finished {
            self.give(index, Delta { text: rest.to_owned(), logprobs, ..Delta::default() }, events);
        }
        Ok(())
    }

    /// Gives out a piece with all units that were not told yet.
    fn give(&mut self, choice: u16, delta: Delta, events: &mut VecDeque<EngineEvent>) {
        let units = self.counted.saturating_sub(self.reported);
        self.reported += units;
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        events.push_back(EngineEvent::Output(Delta { choice, units, ..delta }));
    }

    /// Gathers a tool call; it is given out whole.
    fn call(
        &mut self,
        choice: u16,
        seed: &Seed,
        piece: ChunkCall<'_>,
        events: &mut VecDeque<EngineEvent>,
    ) -> Result<(), EngineError> {
        if self.call.as_ref().is_some_and(|call| call.index != piece.index) {
            self.give_call(choice, seed, events);
        }
        let call = self.call.get_or_insert_with(|| Call { index: piece.index, ..Call::default() });
        if let Some(function) = piece.function {
            call.name.push_str(&function.name.unwrap_or_default().0);
            call.arguments.push_str(&function.arguments.unwrap_or_default().0);
        }
        if call.name.len() + call.arguments.len() > CALL_BYTES_MAX || self.calls >= CALLS_MAX {
            return Err(EngineError::Failed("the server calls tools without end".to_owned()));
        }
        Ok(())
    }

    fn give_call(&mut self, choice: u16, seed: &Seed, events: &mut VecDeque<EngineEvent>) {
        let Some(call) = self.call.take() else { return };
        let index = self.calls;
        self.calls += 1;
        // The client has a call if it has the units that completed it.
        if self.was_finished || self.counted <= self.known_units {
            return;
        }
        let call = ToolCallDelta {
            index,
            // Ours, not the server's: a resumed job must name its calls alike.
            id: Some(call_id(seed, choice, index)),
            name: Some(call.name),
            arguments: call.arguments,
        };
        self.give(choice, Delta { tool_calls: vec![call], ..Delta::default() }, events);
    }

    fn finish(
        &mut self,
        choice: u16,
        seed: &Seed,
        events: &mut VecDeque<EngineEvent>,
    ) -> Result<(), EngineError> {
        if self.matched < self.known.len() {
            return Err(EngineError::CannotResume("the server's answer is shorter now".into()));
        }
        self.give_call(choice, seed, events);
        if self.was_finished {
            return Ok(());
        }
        if self.counted > self.reported {
            self.give(choice, Delta::default(), events);
        }
        let stop = self.stop.unwrap_or(StopReason::Stop);
        events.push_back(EngineEvent::ChoiceDone { choice, stop });
        Ok(())
    }
}

fn stream_error(error: &WireError) -> EngineError {
    let message = match error {
        WireError::Shaped { message, .. } | WireError::Text(message) => message,
    };
    EngineError::Failed(format!("the server broke off: {}", super::short(message)))
}
