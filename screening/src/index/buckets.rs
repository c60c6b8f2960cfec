//! From the hash of a key to the numbers stored under it: four bytes a number, and no key. What is found is checked by the
//! one who asks, so that two keys in one bucket cost time and no truth.

use crate::name::Fnv;

/// A key of some kind; equal texts of two kinds are two keys.
pub(super) fn key(kind: u8, text: &[u8]) -> u32 {
    let mut hash = Fnv::default();
    hash.add(&[kind]);
    hash.add(text);
    (hash.0 ^ (hash.0 >> 32)) as u32
}

#[derive(Debug, Default)]
pub(super) struct Buckets {
    /// Where each bucket starts, and the end of the last.
    starts: Box<[u32]>,
    numbers: Box<[u32]>,
    mask: u32,
}

impl Buckets {
    /// Calls `each` twice with a place to put every key and number.
    pub(super) fn build(count: usize, mut each: impl FnMut(&mut dyn FnMut(u32, u32))) -> Self {
        let buckets = (count / 2).next_power_of_two().max(2);
        let mask = buckets as u32 - 1;
        let mut starts = vec![0u32; buckets + 1];
        each(&mut |key, _| starts[(key & mask) as usize + 1] += 1);
        (1..starts.len()).for_each(|at| starts[at] += starts[at - 1]);
        let mut numbers = vec![0u32; starts[buckets] as usize];
        let mut next = starts.clone();
        each(&mut |key, number| {
            let place = &mut next[(key & mask) as usize];
            numbers[*place as usize] = number;
            *place += 1;
        });
        Self { starts: starts.into(), numbers: numbers.into(), mask }
    }

    pub(super) fn memory(&self) -> usize {
        (self.starts.len() + self.numbers.len()) * size_of::<u32>()
    }

    pub(super) fn get(&self, key: u32) -> &[u32] {
        let at = (key & self.mask) as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(from), Some(to)) => &self.numbers[*from as usize..*to as usize],
            _ => &[],
        }
    }
}
