//! Numbers in bytes. Reading never goes beyond the end, whatever the bytes say.

use super::Unreadable;

/// Appends a number in as few bytes as it needs, seven bits in each.
pub(super) fn push_number(out: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads from the front of a slice.
pub(super) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes have not been read.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn take(&mut self, bytes: usize) -> Result<&'a [u8], Unreadable> {
        let (taken, rest) = self.rest.split_at_checked(bytes).ok_or(Unreadable)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Unreadable> {
        let (&byte, rest) = self.rest.split_first().ok_or(Unreadable)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Unreadable> {
        let bytes = self.take(size_of::<u32>())?.try_into().map_err(|_| Unreadable)?;
        Ok(u32::from_le_bytes(bytes))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Unreadable> {
        let bytes = self.take(size_of::<u64>())?.try_into().map_err(|_| Unreadable)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// A number written by [`push_number`].
    pub(super) fn number(&mut self) -> Result<u32, Unreadable> {
        let mut number = 0;
        for shift in (0..u32::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_as_they_were_written() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u32::MAX];
        let mut bytes = Vec::new();
        numbers.iter().for_each(|&number| push_number(&mut bytes, number));
        let mut cursor = Cursor::new(&bytes);
        for number in numbers {
            assert_eq!(cursor.number(), Ok(number));
        }
        assert!(cursor.is_empty());
    }

    #[test]
    fn reading_beyond_the_end_is_refused() {
        assert_eq!(Cursor::new(&[0x80]).number(), Err(Unreadable));
        assert_eq!(Cursor::new(&[0xff; 9]).number(), Err(Unreadable));
        assert_eq!(Cursor::new(&[1, 2, 3]).u32(), Err(Unreadable));
        assert!(Cursor::new(&[]).take(1).is_err());
    }
}
