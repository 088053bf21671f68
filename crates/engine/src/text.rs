//! From a choice's token bytes to text that is certain.
//!
//! A token may end in the middle of a character, of a stop string or of a `<tool_call>` tag.
//! The assembler gives out text as soon as it is certain, and holds back the rest.

use std::fmt::Write as _;

use remuda_types::job::ToolCallDelta;
use remuda_types::{Hash, Seed};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Opens a tool call in the text of a model.
pub const CALL_OPEN: &str = "<tool_call>";
/// Closes it.
pub const CALL_CLOSE: &str = "</tool_call>";
/// The longest tool call, in bytes; a longer one is given out as the text that it is.
pub const CALL_BYTES_MAX: usize = 256 << 10;
/// The most tool calls of one choice; what follows is text.
pub const CALLS_MAX: u16 = 64;

/// What became certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Text, ready to show.
    pub text: String,
    /// Complete tool calls.
    pub tool_calls: Vec<ToolCallDelta>,
    /// A stop string was met: the choice ends here, and nothing more will come.
    pub stopped: bool,
}

/// Assembles the text of one choice.
///
/// What has been given out depends only on the bytes pushed so far, not on how they were
/// cut: to resume, push the earlier tokens' bytes, drop the pieces, and go on.
///
/// The stop string that is complete first ends the choice; of two that end together, the
/// longer one is cut off. Stop strings are not looked for inside tool calls.
#[derive(Clone, Debug)]
pub struct TextAssembler {
    stop: Vec<String>,
    /// Stop strings, and the tag that opens a call.
    patterns: Vec<String>,
    seed: Seed,
    choice: u16,
    /// The beginning of a character.
    partial: Vec<u8>,
    /// Characters that are not yet certain.
    held: String,
    state: State,
    calls: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In plain text.
    Text,
    /// Right after a call: white space is dropped.
    AfterCall,
    /// Between the tags: everything is held. `searched` bytes are known to hold no end.
    Call { searched: usize },
    /// Nothing more is given out.
    Done,
}

impl TextAssembler {
    /// An assembler for choice `choice` of the job with `seed`, which names its tool calls.
    /// Text between `<tool_call>` tags becomes calls when `tools` is set.
    #[must_use]
    pub fn new(stop: &[String], tools: bool, seed: &Seed, choice: u16) -> Self {
        let stop: Vec<String> = stop.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        let mut patterns = stop.clone();
        patterns.extend(tools.then(|| CALL_OPEN.to_owned()));
        Self {
            stop,
            patterns,
            seed: *seed,
            choice,
            partial: Vec::new(),
            held: String::new(),
            state: State::Text,
            calls: 0,
        }
    }

    /// Takes in a token's bytes; none for an end token.
    pub fn push(&mut self, bytes: &[u8]) -> Piece {
        let mut piece = Piece::default();
        if self.state != State::Done {
            self.decode(bytes);
            self.settle(&mut piece);
        }
        piece
    }

    /// The choice ended: gives out what was held back.
    pub fn finish(&mut self) -> Piece {
        let mut piece = Piece::default();
        if self.state == State::Done {
            return piece;
        }
        if !self.partial.is_empty() {
            self.partial.clear();
            self.held.push(char::REPLACEMENT_CHARACTER);
            self.settle(&mut piece);
        }
        let held = std::mem::take(&mut self.held);
        match self.state {
            // A model may end right after its call and leave the closing tag out.
            State::Call { .. } => match self.call(&held) {
                Some(call) => piece.tool_calls.push(call),
                None => {
                    piece.text.push_str(CALL_OPEN);
                    piece.text.push_str(&held);
                }
            },
            State::Text | State::AfterCall => piece.text.push_str(&held),
            State::Done => {}
        }
        self.state = State::Done;
        piece
    }

    /// Whether a tool call was given out: the stop reason is then `ToolCalls`.
    #[must_use]
    pub const fn has_called(&self) -> bool {
        self.calls > 0
    }

    /// Moves complete characters to `held`, each maximal bad sequence as one U+FFFD.
    fn decode(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            self.partial.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.partial);
            &joined[..]
        };
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => return self.held.push_str(text),
                Err(error) => {
                    let (valid, bad) = rest.split_at(error.valid_up_to());
                    self.held.push_str(&String::from_utf8_lossy(valid));
                    let Some(length) = error.error_len() else {
                        self.partial = bad.to_vec();
                        return;
                    };
                    self.held.push(char::REPLACEMENT_CHARACTER);
                    rest = &bad[length..];
                }
            }
        }
    }

    /// Gives out what is certain. Every turn shortens `held` or ends the loop.
    fn settle(&mut self, piece: &mut Piece) {
        loop {
            let goes_on = match self.state {
                State::Text => self.settle_text(piece),
                State::AfterCall => self.skip_white_space(),
                State::Call { searched } => self.settle_call(searched, piece),
                State::Done => false,
            };
            if !goes_on {
                return;
            }
        }
    }

    fn skip_white_space(&mut self) -> bool {
        let blank = self.held.len() - self.held.trim_start().len();
        self.held.drain(..blank);
        if self.held.is_empty() {
            return false;
        }
        self.state = State::Text;
        true
    }

    fn settle_text(&mut self, piece: &mut Piece) -> bool {
        let Some((start, end)) = first_match(&self.held, &self.patterns) else {
            let certain = self.held.len() - undecided(&self.held, &self.patterns);
            piece.text.extend(self.held.drain(..certain));
            return false;
        };
        let is_stop = self.stop.iter().any(|stop| *stop == self.held[start..end]);
        piece.text.push_str(&self.held[..start]);
        self.held.drain(..end);
        if is_stop {
            piece.stopped = true;
            self.held.clear();
            self.partial.clear();
            self.state = State::Done;
            return false;
        }
        self.state = State::Call { searched: 0 };
        true
    }

    fn settle_call(&mut self, searched: usize, piece: &mut Piece) -> bool {
        if let Some(at) = self.held[searched..].find(CALL_CLOSE) {
            let end = searched + at;
            let body = self.held[..end].to_owned();
            match self.call(&body) {
                Some(call) => {
                    piece.tool_calls.push(call);
                    self.state = State::AfterCall;
                }
                None => self.give_out_as_text(end + CALL_CLOSE.len(), piece),
            }
            if self.state == State::AfterCall {
                self.held.drain(..end + CALL_CLOSE.len());
            }
            return true;
        }
        if self.held.len() > CALL_BYTES_MAX {
            let end = self.held.floor_char_boundary(CALL_BYTES_MAX);
            self.give_out_as_text(end, piece);
            return true;
        }
        let most = self.held.len().saturating_sub(CALL_CLOSE.len());
        self.state = State::Call { searched: self.held.floor_char_boundary(most) };
        false
    }

    /// What looked like a call is none.
    fn give_out_as_text(&mut self, end: usize, piece: &mut Piece) {
        piece.text.push_str(CALL_OPEN);
        piece.text.extend(self.held.drain(..end));
        self.state = State::Text;
    }

    /// The call between two tags, if it is one.
    fn call(&mut self, body: &str) -> Option<ToolCallDelta> {
        #[derive(Deserialize)]
        struct Body<'a> {
            name: String,
            #[serde(borrow, default, alias = "parameters")]
            arguments: Option<&'a RawValue>,
        }
        if self.calls == CALLS_MAX {
            return None;
        }
        let body: Body<'_> = serde_json::from_str(body.trim()).ok()?;
        let arguments = body.arguments.map_or("{}", RawValue::get);
        let index = self.calls;
        self.calls += 1;
        Some(ToolCallDelta {
            index,
            id: Some(call_id(&self.seed, self.choice, index)),
            name: Some(body.name),
            arguments: arguments.to_owned(),
        })
    }
}

/// The name of a tool call: the same in every attempt at a job.
#[must_use]
pub fn call_id(seed: &Seed, choice: u16, index: u16) -> String {
    const NAME_BYTES: usize = 12;
    let place = [choice.to_le_bytes(), index.to_le_bytes()].concat();
    let digest = Hash::derive("remuda/tool-call/1", &[&seed.0.0[..], &place].concat());
    let mut id = String::from("call_");
    for byte in &digest.0[..NAME_BYTES] {
        // Writing to a string cannot fail.
        let _ = write!(id, "{byte:02x}");
    }
    id
}

/// Where the pattern that is complete first stands; of two that end together, the longer.
fn first_match(text: &str, patterns: &[String]) -> Option<(usize, usize)> {
    patterns
        .iter()
        .filter_map(|pattern| text.find(pattern.as_str()).map(|at| (at, at + pattern.len())))
        .min_by_key(|&(start, end)| (end, start))
}

/// The length of the longest end of `text` with which a pattern begins.
fn undecided(text: &str, patterns: &[String]) -> usize {
    let begins = |pattern: &String| {
        let longest = text.len().min(pattern.len() - 1);
        (1..=longest)
            .rev()
            .find(|&length| text.as_bytes()[text.len() - length..] == pattern.as_bytes()[..length])
    };
    patterns.iter().filter_map(begins).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assembler(stop: &[&str], tools: bool) -> TextAssembler {
        let stop: Vec<String> = stop.iter().map(|&stop| stop.to_owned()).collect();
        TextAssembler::new(&stop, tools, &Seed::from_caller(1), 2)
    }

    fn add(whole: &mut Piece, piece: Piece) {
        whole.text.push_str(&piece.text);
        whole.tool_calls.extend(piece.tool_calls);
        whole.stopped |= piece.stopped;
    }

    /// All that comes of `tokens`, after a silent replay of the first `resume_at`.
    fn run(mut assembler: TextAssembler, tokens: &[&[u8]], resume_at: usize) -> Piece {
        let mut whole = Piece::default();
        for (index, token) in tokens.iter().enumerate() {
            let piece = assembler.push(token);
            if index >= resume_at {
                add(&mut whole, piece);
            }
        }
        add(&mut whole, assembler.finish());
        whole
    }

    /// `bytes` cut at the given places.
    fn cut<'a>(bytes: &'a [u8], places: &[usize]) -> Vec<&'a [u8]> {
        let mut places: Vec<usize> = places.iter().map(|at| at % (bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    fn text_of(assembler: TextAssembler, text: &str) -> Piece {
        run(assembler, &[text.as_bytes()], 0)
    }

    #[test]
    fn the_stop_that_is_complete_first_wins() {
        let piece = text_of(assembler(&["bcd", "c"], false), "abcd");
        assert_eq!((piece.text.as_str(), piece.stopped), ("ab", true));
        let piece = text_of(assembler(&["c", "bc"], false), "abcd");
        assert_eq!((piece.text.as_str(), piece.stopped), ("a", true));
        let piece = text_of(assembler(&["xyz"], false), "abxy");
        assert_eq!((piece.text.as_str(), piece.stopped), ("abxy", false));
    }

    #[test]
    fn nothing_comes_after_a_stop() {
        let mut assembler = assembler(&["."], true);
        assert!(assembler.push(b"a.b").stopped);
        assert_eq!(assembler.push(b"<tool_call>"), Piece::default());
        assert_eq!(assembler.finish(), Piece::default());
    }

    #[test]
    fn text_is_given_out_as_soon_as_it_is_certain() {
        let mut assembler = assembler(&["END"], true);
        assert_eq!(assembler.push(b"one E").text, "one ");
        assert_eq!(assembler.push(b"N").text, "");
        assert_eq!(assembler.push(b"T <tool").text, "ENT ");
        assert_eq!(assembler.push(b"bar \xe2\x82").text, "<toolbar ");
        assert_eq!(assembler.push(b"\xac").text, "€");
    }

    #[test]
    fn calls_become_calls_and_no_text() {
        let text = "Sure.<tool_call>\n{\"name\": \"f\", \"arguments\": {\"b\": 1, \"a\": [2]}}\n\
                    </tool_call>\n<tool_call>{\"name\":\"g\"}";
        let piece = text_of(assembler(&["{"], true), text);
        assert_eq!(piece.text, "Sure.");
        let call = |index: u16, name: &str, arguments: &str| ToolCallDelta {
            index,
            id: Some(call_id(&Seed::from_caller(1), 2, index)),
            name: Some(name.into()),
            arguments: arguments.into(),
        };
        assert_eq!(piece.tool_calls, [call(0, "f", "{\"b\": 1, \"a\": [2]}"), call(1, "g", "{}")]);
        assert_ne!(piece.tool_calls[0].id, piece.tool_calls[1].id);
    }

    #[test]
    fn what_is_no_call_is_text() {
        for text in ["<tool_call>oh</tool_call> no", "<tool_call>{\"name\":", "a<tool_call>"] {
            let piece = text_of(assembler(&[], true), text);
            assert_eq!((piece.text.as_str(), piece.tool_calls.len()), (text, 0));
        }
        let text = "<tool_call>{\"name\":\"f\"}</tool_call>";
        assert_eq!(text_of(assembler(&[], false), text).text, text);
    }

    #[test]
    fn an_endless_call_is_bounded() {
        let mut assembler = assembler(&[], true);
        let mut given = assembler.push(CALL_OPEN.as_bytes()).text.len();
        for _ in 0..CALL_BYTES_MAX / 1000 + 2 {
            given += assembler.push(&[b'x'; 1000]).text.len();
        }
        assert!(given > CALL_BYTES_MAX);
        assert!(assembler.held.len() < 2000);
    }

    /// Text made of the things that matter: parts of tags, stops, characters, bad bytes.
    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            "[ab<>/_ ]{1,4}".prop_map(String::into_bytes),
            Just(CALL_OPEN.as_bytes().to_vec()),
            Just(CALL_CLOSE.as_bytes().to_vec()),
            Just(b"{\"name\":\"f\",\"arguments\":{\"x\":1}}".to_vec()),
            Just("é€😀".as_bytes().to_vec()),
            Just(b"\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 1..4),
        ];
        proptest::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    fn some_stops() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[ab<€]{1,3}", 0..3)
    }

    proptest! {
        /// However the bytes are cut and wherever a choice is resumed: text before plus text
        /// after is the text of an uninterrupted run.
        #[test]
        fn cuts_and_resumptions_change_nothing(
            bytes in some_bytes(),
            stops in some_stops(),
            tools in any::<bool>(),
            places in proptest::collection::vec(any::<usize>(), 0..12),
            resume_at in any::<usize>(),
        ) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let new = || assembler(&stops, tools);
            let whole = run(new(), &[&bytes], 0);
            let tokens = cut(&bytes, &places);
            prop_assert_eq!(&run(new(), &tokens, 0), &whole);

            let resume_at = resume_at % (tokens.len() + 1);
            let mut first = new();
            let mut joined = Piece::default();
            for token in &tokens[..resume_at] {
                add(&mut joined, first.push(token));
            }
            if joined.stopped {
                return Ok(());
            }
            add(&mut joined, run(new(), &tokens, resume_at));
            prop_assert_eq!(joined, whole);
        }

        #[test]
        fn output_never_holds_a_stop_string(bytes in some_bytes(), stops in some_stops()) {
            let stops: Vec<&str> = stops.iter().map(String::as_str).collect();
            let piece = run(assembler(&stops, false), &[&bytes], 0);
            prop_assert!(stops.iter().all(|stop| !piece.text.contains(stop)));
            let whole = String::from_utf8_lossy(&bytes);
            prop_assert!(whole.starts_with(&piece.text));
            prop_assert_eq!(piece.stopped, stops.iter().any(|stop| whole.contains(stop)));
        }

        #[test]
        fn bad_bytes_read_as_in_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..40),
            places in proptest::collection::vec(any::<usize>(), 0..12),
        ) {
            let piece = run(assembler(&[], true), &cut(&bytes, &places), 0);
            prop_assert_eq!(piece.text, String::from_utf8_lossy(&bytes));
        }
    }
}
