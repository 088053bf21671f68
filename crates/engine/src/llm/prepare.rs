//! From a job to what the scheduler runs: prompt tokens, limits, and each choice's state.
//! All errors that depend only on the job come from here, before any computation.

use remuda_types::job::{Chat, Generate, Prompt, Resume, ResumeChoice, TokenId, ToolChoice};
use remuda_types::{Seed, StopReason};

use super::choice::Choice;
use super::model::Model;
use crate::EngineError;
use crate::constraint::ConstraintState;

/// A job as the scheduler sees it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) seed: Seed,
    pub(super) prompt: Vec<TokenId>,
    pub(super) generate: Generate,
    /// The most output tokens of a choice: what was asked for and what the context holds.
    pub(super) limit: usize,
    pub(super) tools: bool,
    pub(super) constraint: Option<ConstraintState>,
}

/// Renders and tokenizes the prompt, checks that it fits, and compiles the constraint.
pub(super) fn plan(model: &Model, seed: Seed, generate: Generate) -> Result<Plan, EngineError> {
    let prompt = prompt_tokens(model, &generate.prompt)?;
    let context = model.context() as usize;
    if prompt.len() >= context {
        return Err(model.too_long(prompt.len() as u64));
    }
    Ok(Plan {
        seed,
        limit: (generate.max_output as usize).min(context - prompt.len()),
        prompt,
        tools: uses_tools(&generate.prompt),
        constraint: model.constraints().compile(&generate)?,
        generate,
    })
}

fn uses_tools(prompt: &Prompt) -> bool {
    match prompt {
        Prompt::Chat(Chat { tools, tool_choice, .. }) => {
            !tools.is_empty() && *tool_choice != ToolChoice::None
        }
        Prompt::Text(_) | Prompt::Tokens(_) => false,
    }
}

fn prompt_tokens(model: &Model, prompt: &Prompt) -> Result<Vec<TokenId>, EngineError> {
    let tokens = match prompt {
        Prompt::Chat(chat) => {
            let template = model
                .template()
                .ok_or_else(|| invalid("messages", "the model has no chat template"))?;
            model.tokenize(&template.render(chat)?)?
        }
        Prompt::Text(text) => model.tokenize(text)?,
        Prompt::Tokens(tokens) => {
            let size = model.vocabulary();
            if let Some(token) = tokens.iter().find(|&&token| token as usize >= size) {
                let reason = format!("token {token} is not among the model's {size}");
                return Err(invalid("prompt", &reason));
            }
            tokens.clone()
        }
    };
    if tokens.is_empty() {
        return Err(invalid("prompt", "must not be empty"));
    }
    Ok(tokens)
}

/// The state of each choice, with the tokens that exist already taken in.
pub(super) fn choices(
    model: &Model,
    plan: &Plan,
    resume: &Resume,
) -> Result<Vec<Choice>, EngineError> {
    let wanted = usize::from(plan.generate.choices);
    if !resume.choices.is_empty() && resume.choices.len() != wanted {
        let had = resume.choices.len();
        return Err(EngineError::CannotResume(format!("{had} of {wanted} choices were given")));
    }
    let fresh = ResumeChoice::default();
    (0..plan.generate.choices)
        .filter_map(|index| {
            let earlier = resume.choices.get(usize::from(index)).unwrap_or(&fresh);
            (!has_ended(earlier)).then(|| Choice::begin(model, plan, index, earlier))
        })
        .collect()
}

/// A choice whose end the client knows is not mentioned again.
fn has_ended(earlier: &ResumeChoice) -> bool {
    earlier.finished.is_some_and(|stop| stop != StopReason::Partial)
}

pub(super) fn invalid(parameter: &str, reason: &str) -> EngineError {
    EngineError::InvalidInput { parameter: parameter.into(), reason: reason.into() }
}
