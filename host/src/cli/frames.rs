//! What a stream of events says, as it arrives in pieces.

use anyhow::{Context, bail};

/// The largest frame. An event holds at most one tool's output or one answer; this only bounds a mistake.
const FRAME_BYTES_MAX: usize = 32 << 20;

/// What of the stream is not a whole frame yet.
#[derive(Debug, Default)]
pub(super) struct Frames(Vec<u8>);

impl Frames {
    /// Takes a piece; answers the data, JSON, of the frames that are whole with it. Comments are left out.
    pub(super) fn push(&mut self, piece: &[u8]) -> anyhow::Result<Vec<String>> {
        self.0.extend_from_slice(piece);
        let mut data = Vec::new();
        while let Some(end) = self.0.windows(2).position(|pair| pair == b"\n\n") {
            let frame: Vec<u8> = self.0.drain(..end + 2).collect();
            if let Some(line) = frame.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"data: ")) {
                data.push(String::from_utf8(line.to_vec()).context("a frame of the stream is not text")?);
            }
        }
        if self.0.len() > FRAME_BYTES_MAX {
            bail!("a frame of the stream is larger than {} MiB", FRAME_BYTES_MAX >> 20);
        }
        Ok(data)
    }
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
    }
}
