//! What a stream of events says, as it arrives in pieces.

use anyhow::{Context, bail};

/// The largest frame. An event holds at most one tool's output or one answer; this only bounds a mistake.
const FRAME_BYTES_MAX: usize = 32 << 20;

/// What of the stream is not a whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Frames {
    rest: Vec<u8>,
    /// Bytes of it in which no end of a frame begins.
    looked_at: usize,
}

impl Frames {
    /// Takes a piece; answers the data, JSON, of the frames that are whole with it. Comments are left out.
    pub(super) fn push(&mut self, piece: &[u8]) -> anyhow::Result<Vec<String>> {
        self.rest.extend_from_slice(piece);
        let (mut data, mut begin) = (Vec::new(), 0);
        while let Some(at) = self.rest[self.looked_at..].windows(2).position(|pair| pair == b"\n\n") {
            let end = self.looked_at + at;
            data.extend(line(&self.rest[begin..end])?);
            (begin, self.looked_at) = (end + 2, end + 2);
        }
        self.rest.drain(..begin);
        // The last byte may be the first half of an end.
        self.looked_at = self.rest.len().saturating_sub(1);
        if self.rest.len() > FRAME_BYTES_MAX {
            bail!("a frame of the stream is larger than {} MiB", FRAME_BYTES_MAX >> 20);
        }
        Ok(data)
    }
}

/// The data of a frame, if it has any.
fn line(frame: &[u8]) -> anyhow::Result<Option<String>> {
    let data = frame.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: "));
    data.map(|data| String::from_utf8(data.to_vec()).context("a frame of the stream is not text")).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_stream_is_cut() {
        let stream = b"event: end\ndata: {\"type\":\"a\"}\n\n: ping\n\nevent: end\ndata: {\"type\":\"end\"}\n\n";
        for cut in 0..stream.len() {
            let mut frames = Frames::default();
            let mut events = frames.push(&stream[..cut]).unwrap();
            events.extend(frames.push(&stream[cut..]).unwrap());
            assert_eq!(events, ["{\"type\":\"a\"}", "{\"type\":\"end\"}"], "{cut}");
        }
        let mut frames = Frames::default();
        let events: Vec<String> = stream.iter().flat_map(|byte| frames.push(&[*byte]).unwrap()).collect();
        assert_eq!(events, ["{\"type\":\"a\"}", "{\"type\":\"end\"}"]);
    }

    #[test]
    fn no_byte_of_a_large_frame_is_looked_at_twice() {
        let mut frames = Frames::default();
        for _ in 0..1_000 {
            assert!(frames.push(&[b'x'; 1_000]).unwrap().is_empty());
            assert_eq!(frames.looked_at, frames.rest.len() - 1);
        }
        let large = [b"data: ".as_slice(), &vec![b'x'; 1 << 20], b"\n\ndata: next"].concat();
        let mut frames = Frames::default();
        let events: Vec<String> = large.chunks(1_000).flat_map(|piece| frames.push(piece).unwrap()).collect();
        assert_eq!((events.len(), events[0].len(), frames.rest.as_slice()), (1, 1 << 20, b"data: next".as_slice()));
    }

    #[test]
    fn what_is_no_text_or_too_large_is_an_error_and_no_end_of_the_process() {
        assert!(Frames::default().push(b"data: \xff\n\n").is_err());
        assert!(Frames::default().push(&vec![b'x'; FRAME_BYTES_MAX + 1]).is_err());
    }
}
