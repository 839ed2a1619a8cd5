//! Many short strings, each kept once and known by a number.

use hashbrown::HashTable;

use crate::hash::Hash;

/// The strings, their bytes side by side.
#[derive(Default)]
pub(super) struct Strings {
    bytes: Vec<u8>,
    /// Where each string ends; it begins where the one before ends.
    ends: Vec<u32>,
    numbers: HashTable<u32>,
}

impl Strings {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: u32) -> &[u8] {
        stretch(&self.bytes, &self.ends, number)
    }

    /// The number of a string that was added.
    pub(super) fn find(&self, string: &str) -> Option<u32> {
        let is_it = |&number: &u32| self.get(number) == string.as_bytes();
        self.numbers.find(hash_of(string.as_bytes()), is_it).copied()
    }

    /// Adds a string that is not there yet: numbers count up from 0.
    pub(super) fn add(&mut self, string: &str) -> u32 {
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(string.as_bytes());
        self.ends.push(self.bytes.len() as u32);
        let (bytes, ends) = (&self.bytes, &self.ends);
        let rehash = |&number: &u32| hash_of(stretch(bytes, ends, number));
        self.numbers.insert_unique(hash_of(string.as_bytes()), number, rehash);
        number
    }

    /// The numbers in the order of their strings.
    pub(super) fn sorted(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = (0..self.ends.len() as u32).collect();
        numbers.sort_unstable_by(|&a, &b| self.get(a).cmp(self.get(b)));
        numbers
    }
}

fn stretch<'a>(bytes: &'a [u8], ends: &[u32], number: u32) -> &'a [u8] {
    let number = number as usize;
    let start = if number == 0 { 0 } else { ends[number - 1] };
    &bytes[start as usize..ends[number] as usize]
}

fn hash_of(string: &[u8]) -> u64 {
    let mut hash = Hash::default();
    hash.add(string);
    hash.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_found_under_its_number() {
        let mut strings = Strings::default();
        let words: Vec<String> = (0..1_000).rev().map(|number| format!("w{number:04}")).collect();
        for (number, word) in (0..).zip(&words) {
            assert_eq!(strings.find(word), None);
            assert_eq!(strings.add(word), number);
        }
        for (number, word) in (0..).zip(&words) {
            assert_eq!(strings.find(word), Some(number));
            assert_eq!(strings.get(number), word.as_bytes());
        }
        assert_eq!(strings.len(), 1_000);
        assert!(strings.sorted().is_sorted_by_key(|&number| strings.get(number)));
    }
}
