//! What the caller has received of a job, over all attempts: pure.

use remuda_types::StopReason;
use remuda_types::job::{Delta, JobInput, Resume, ResumeChoice};
use thiserror::Error;

/// The most text of one job, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 20;
/// The most numbers of one embedding vector.
const VECTOR_MAX: usize = 65_536;

/// Output that no honest provider sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Violation {
    #[error("output of a choice that the job does not have, or that has ended")]
    Choice,
    #[error("more output than was asked for")]
    TooMuch,
    #[error("tokens, units and text of a piece do not fit together")]
    Units,
    #[error("output of another kind than was asked for")]
    Kind,
    #[error("vectors that are not one finite vector a text, all of one length")]
    Vectors,
}

#[derive(Debug)]
enum Kind {
    Generate { choices: Vec<ResumeChoice>, max_output: u32 },
    Embed { inputs: usize, done: bool },
}

/// What the caller has received of a job.
#[derive(Debug)]
pub(crate) struct Transcript {
    kind: Kind,
    text_bytes: usize,
}

impl Transcript {
    pub(crate) fn new(input: &JobInput) -> Self {
        let kind = match input {
            JobInput::Generate(it) => Kind::Generate {
                choices: vec![ResumeChoice::default(); usize::from(it.choices)],
                max_output: it.max_output,
            },
            JobInput::Embed(it) => Kind::Embed { inputs: it.inputs.len(), done: false },
        };
        Self { kind, text_bytes: 0 }
    }

    /// Takes in a piece of output.
    ///
    /// # Errors
    /// [`Violation`]; nothing was taken in then.
    pub(crate) fn output(&mut self, delta: &Delta) -> Result<(), Violation> {
        let text_bytes = self.text_bytes + text_len(delta);
        let (choice, max_output) = self.choice(delta.choice)?;
        let units = choice.units.checked_add(delta.units).ok_or(Violation::TooMuch)?;
        if units > max_output || text_bytes > TEXT_BYTES_MAX {
            return Err(Violation::TooMuch);
        }
        let tokens = u32::try_from(delta.tokens.len()).map_err(|_| Violation::TooMuch)?;
        let shown = tokens == 0 || tokens == delta.units;
        // Text before any unit could not be resumed: the next provider would repeat it.
        if !shown || (units == 0 && text_len(delta) > 0) {
            return Err(Violation::Units);
        }
        choice.units = units;
        choice.tokens.extend_from_slice(&delta.tokens);
        choice.text.push_str(&delta.text);
        self.text_bytes = text_bytes;
        Ok(())
    }

    /// Takes in the end of a choice.
    ///
    /// # Errors
    /// [`Violation::Choice`] or [`Violation::Kind`].
    pub(crate) fn choice_done(&mut self, choice: u16, stop: StopReason) -> Result<(), Violation> {
        if matches!(stop, StopReason::Partial | StopReason::Cancelled) {
            return Err(Violation::Kind);
        }
        let (choice, _) = self.choice(choice)?;
        choice.finished = Some(stop);
        Ok(())
    }

    /// Takes in the vectors of an embedding job.
    ///
    /// # Errors
    /// [`Violation::Kind`] or [`Violation::Vectors`].
    pub(crate) fn vectors(&mut self, vectors: &[Vec<f32>]) -> Result<(), Violation> {
        let Kind::Embed { inputs, done } = &mut self.kind else { return Err(Violation::Kind) };
        let length = vectors.first().map_or(0, Vec::len);
        let regular = vectors.iter().all(|it| it.len() == length);
        let finite = vectors.iter().flatten().all(|number| number.is_finite());
        let fits = vectors.len() == *inputs && (1..=VECTOR_MAX).contains(&length);
        if *done || !regular || !finite || !fits {
            return Err(Violation::Vectors);
        }
        *done = true;
        Ok(())
    }

    /// Whether everything that was asked for is here.
    pub(crate) fn is_complete(&self) -> bool {
        match &self.kind {
            Kind::Generate { choices, .. } => choices.iter().all(|it| it.finished.is_some()),
            Kind::Embed { done, .. } => *done,
        }
    }

    /// Where another provider would continue; empty when nothing was delivered.
    pub(crate) fn resume(&self) -> Resume {
        match &self.kind {
            Kind::Generate { choices, .. } => {
                let resume = Resume { choices: choices.clone() };
                if resume.is_fresh() { Resume::default() } else { resume }
            }
            Kind::Embed { .. } => Resume::default(),
        }
    }

    /// Whether nothing was delivered yet.
    pub(crate) fn is_fresh(&self) -> bool {
        match &self.kind {
            Kind::Generate { choices, .. } => {
                choices.iter().all(|it| it.units == 0 && it.finished.is_none())
            }
            Kind::Embed { done, .. } => !done,
        }
    }

    /// A choice that has not ended, and the most units that it may have.
    fn choice(&mut self, choice: u16) -> Result<(&mut ResumeChoice, u32), Violation> {
        let Kind::Generate { choices, max_output } = &mut self.kind else {
            return Err(Violation::Kind);
        };
        let choice = choices.get_mut(usize::from(choice)).ok_or(Violation::Choice)?;
        if choice.finished.is_some() {
            return Err(Violation::Choice);
        }
        Ok((choice, *max_output))
    }
}

fn text_len(delta: &Delta) -> usize {
    let calls = delta.tool_calls.iter();
    let calls: usize =
        calls.map(|it| it.arguments.len() + it.name.as_deref().map_or(0, str::len)).sum();
    delta.text.len() + calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use remuda_types::job::{Constraint, Embed, Generate, Prompt, Sampling};

    fn transcript(choices: u16, max_output: u32) -> Transcript {
        Transcript::new(&JobInput::Generate(Generate {
            prompt: Prompt::Text("x".into()),
            choices,
            max_output,
            sampling: Sampling::default(),
            stop: Vec::new(),
            constraint: Constraint::None,
            logprobs: None,
        }))
    }

    fn piece(choice: u16, tokens: &[u32], text: &str) -> Delta {
        let units = u32::try_from(tokens.len()).unwrap();
        Delta { choice, tokens: tokens.to_vec(), units, text: text.into(), ..Delta::default() }
    }

    #[test]
    fn the_resume_point_is_what_was_received() {
        let mut it = transcript(2, 10);
        assert!(it.resume().choices.is_empty() && it.is_fresh());
        it.output(&piece(0, &[1, 2], "a")).unwrap();
        it.output(&piece(0, &[3], "bc")).unwrap();
        it.choice_done(0, StopReason::Stop).unwrap();
        let resume = it.resume();
        assert_eq!(resume.choices.len(), 2);
        assert_eq!(resume.choices[0].tokens, [1, 2, 3]);
        assert_eq!(resume.choices[0].text, "abc");
        assert_eq!(resume.choices[0].finished, Some(StopReason::Stop));
        assert_eq!(resume.choices[1], ResumeChoice::default());
        assert!(!it.is_complete() && !it.is_fresh());
        it.choice_done(1, StopReason::Length).unwrap();
        assert!(it.is_complete());
    }

    #[test]
    fn dishonest_output_is_named_and_leaves_no_trace() {
        let mut it = transcript(1, 3);
        let padded = Delta { units: 3, ..piece(0, &[1], "a") };
        let free = Delta { units: 0, ..piece(0, &[], "a") };
        assert_eq!(it.output(&piece(1, &[1], "a")), Err(Violation::Choice));
        assert_eq!(it.output(&piece(0, &[1, 2, 3, 4], "a")), Err(Violation::TooMuch));
        assert_eq!(it.output(&padded), Err(Violation::Units));
        assert_eq!(it.output(&free), Err(Violation::Units));
        assert_eq!(it.vectors(&[vec![0.0]]), Err(Violation::Kind));
        assert_eq!(it.choice_done(0, StopReason::Partial), Err(Violation::Kind));
        assert!(it.is_fresh());
        it.choice_done(0, StopReason::Stop).unwrap();
        assert_eq!(it.output(&piece(0, &[1], "a")), Err(Violation::Choice));
        assert_eq!(it.choice_done(0, StopReason::Stop), Err(Violation::Choice));
    }

    #[test]
    fn vectors_are_one_a_text_and_finite() {
        let input = JobInput::Embed(Embed { inputs: vec!["a".into(), "b".into()] });
        let mut it = Transcript::new(&input);
        for bad in [
            vec![vec![1.0]],
            vec![vec![1.0], vec![1.0, 2.0]],
            vec![vec![], vec![]],
            vec![vec![f32::NAN], vec![1.0]],
        ] {
            assert_eq!(it.vectors(&bad), Err(Violation::Vectors));
        }
        assert!(it.vectors(&[vec![1.0], vec![2.0]]).is_ok() && it.is_complete());
        assert_eq!(it.vectors(&[vec![1.0], vec![2.0]]), Err(Violation::Vectors));
    }
}
