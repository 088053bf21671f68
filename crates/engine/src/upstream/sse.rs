//! Server-sent events, as far as OpenAI-compatible servers use them: the data of each event.
//! A pure function of the bytes, however they are cut.

use thiserror::Error;

/// The longest line, and the most data of one event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// A line or an event is longer than [`EVENT_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
pub struct EventTooLong;

/// Splits a stream of bytes into the data of events.
#[derive(Debug, Default)]
pub struct SseParser {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last line ended with CR: an LF that follows belongs to it.
    after_cr: bool,
}

impl SseParser {
    /// Takes in bytes and hands the data of each complete event to `each`.
    ///
    /// # Errors
    /// [`EventTooLong`], or the first error of `each`.
    pub fn push<E: From<EventTooLong>>(
        &mut self,
        mut bytes: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // No bytes say nothing of what follows a CR.
        let Some(first) = bytes.first() else { return Ok(()) };
        if std::mem::take(&mut self.after_cr) && *first == b'\n' {
            bytes = &bytes[1..];
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (head, rest) = bytes.split_at(end);
            self.end_line(head, each)?;
            let is_pair = rest.starts_with(b"\r\n");
            self.after_cr = rest == b"\r";
            bytes = &rest[if is_pair { 2 } else { 1 }..];
        }
        extend(&mut self.line, bytes)?;
        Ok(())
    }

    /// The bytes ended: hands out an event that lacks its final blank line.
    ///
    /// # Errors
    /// As [`SseParser::push`].
    pub fn finish<E: From<EventTooLong>>(
        &mut self,
        each: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.end_line(b"", each)?;
        self.end_line(b"", each)
    }

    fn end_line<E: From<EventTooLong>>(
        &mut self,
        head: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.line.is_empty() {
            return self.take_line(head, each);
        }
        extend(&mut self.line, head)?;
        let line = std::mem::take(&mut self.line);
        let result = self.take_line(&line, each);
        self.line = line;
        self.line.clear();
        result
    }

    fn take_line<E: From<EventTooLong>>(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if line.is_empty() {
            if !std::mem::take(&mut self.has_data) {
                return Ok(());
            }
            let result = each(&self.data);
            self.data.clear();
            return result;
        }
        // Comments, event names, ids and retry times say nothing to us.
        let Some(value) = line.strip_prefix(b"data:") else { return Ok(()) };
        if self.has_data {
            extend(&mut self.data, b"\n")?;
        }
        self.has_data = true;
        extend(&mut self.data, value.strip_prefix(b" ").unwrap_or(value))?;
        Ok(())
    }
}

fn extend(buffer: &mut Vec<u8>, bytes: &[u8]) -> Result<(), EventTooLong> {
    if buffer.len() + bytes.len() > EVENT_BYTES_MAX {
        return Err(EventTooLong);
    }
    buffer.extend_from_slice(bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Result<Vec<String>, EventTooLong> {
        let mut parser = SseParser::default();
        let mut all = vec![];
        let mut each = |data: &[u8]| {
            all.push(String::from_utf8_lossy(data).into_owned());
            Ok::<_, EventTooLong>(())
        };
        for piece in pieces {
            parser.push(piece, &mut each)?;
        }
        parser.finish(&mut each)?;
        Ok(all)
    }

    #[test]
    fn reads_what_servers_send() {
        let stream = b": hello\n\ndata: {\"a\":1}\n\nevent: x\r\ndata:two\r\ndata: lines\r\n\r\n\
                       id: 7\rdata: cr\r\r\n\ndata: [DONE]";
        let expected = ["{\"a\":1}", "two\nlines", "cr", "[DONE]"];
        assert_eq!(events(&[stream]).unwrap(), expected);
    }

    #[test]
    fn an_empty_piece_between_cr_and_lf_changes_nothing() {
        let pieces = [b"data: a\r".as_slice(), b"", b"\ndata: b\n\n"];
        assert_eq!(events(&pieces).unwrap(), ["a\nb"]);
    }

    #[test]
    fn an_endless_line_and_an_endless_event_are_errors() {
        let piece = [b'x'; 4096];
        let mut parser = SseParser::default();
        let mut each = |_: &[u8]| Ok::<_, EventTooLong>(());
        let result = (0..1000).try_for_each(|_| parser.push(&piece, &mut each));
        assert_eq!(result, Err(EventTooLong));
        let mut parser = SseParser::default();
        let line = [b"data: ".as_slice(), &piece, b"\n"].concat();
        let result = (0..1000).try_for_each(|_| parser.push(&line, &mut each));
        assert_eq!(result, Err(EventTooLong));
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(
            stream in "(data: ?[aé:]{0,3}|: c|x|)(\n|\r|\r\n|\n\n|\r\n\r\n|\r\r){0,3}",
            second in "(data:[bé]{0,3}|id: 3|data){0,2}(\n|\r|\r\n|\n\n|\r\n\r\n){0,2}",
            places in proptest::collection::vec(any::<usize>(), 0..6),
        ) {
            let bytes = [stream.as_bytes(), second.as_bytes()].concat();
            let mut places: Vec<usize> = places.iter().map(|at| at % (bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> =
                places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(events(&pieces), events(&[&bytes]));
        }
    }
}
