//! Whether a picture shows anything.

/// The difference of brightness, of 255, that noise makes in a picture of nothing.
const NOISE: u8 = 12;

/// The darkest and the brightest value of every channel seen so far.
pub(super) struct Shades {
    ranges: [(u8, u8); 4],
    channels: usize,
}

impl Shades {
    /// Of a picture with one to four channels.
    pub(super) fn new(channels: usize) -> Self {
        Self { ranges: [(u8::MAX, u8::MIN); 4], channels: channels.clamp(1, 4) }
    }

    /// Adds whole pixels.
    pub(super) fn add(&mut self, samples: &[u8]) {
        for pixel in samples.chunks_exact(self.channels) {
            for (range, sample) in self.ranges.iter_mut().zip(pixel) {
                *range = (range.0.min(*sample), range.1.max(*sample));
            }
        }
    }

    /// Whether all pixels are of one colour.
    pub(super) fn is_blank(&self) -> bool {
        self.ranges.iter().all(|(darkest, brightest)| brightest.saturating_sub(*darkest) <= NOISE)
    }
}
