//! The score: a logistic regression over a few sums, whose weights are fitted by `examples/fit.rs`.

/// What an alignment comes down to. Every weight of the model has the sign that makes more agreement never lower the score.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Features {
    /// Evidence in common.
    pub matched: f32,
    /// Evidence that both names have and that differs.
    pub conflict: f32,
    /// Evidence that only one name has.
    pub missing: f32,
    /// Tokens known by their first letters only.
    pub initials: f32,
    /// 1 if the tokens come in another order.
    pub reordered: f32,
    /// 1 if the texts differ in more than case and blanks.
    pub rewritten: f32,
    /// 1 if Chinese, Japanese or Korean syllables differ.
    pub native: f32,
}

/// How many weights the model has besides its constant.
pub const FEATURES: usize = 8;

impl Features {
    /// The terms of the regression; the score falls with each.
    #[must_use]
    pub fn terms(&self) -> [f32; FEATURES] {
        let Self { matched, conflict, missing, initials, reordered, rewritten, native } = *self;
        [
            conflict,
            missing / (missing + matched + 0.01),
            (missing - 1.0).max(0.0),
            1.0 / (matched + 0.5),
            initials / (matched + 0.5),
            reordered,
            rewritten,
            native,
        ]
    }
}

/// The weights. All are at most 0.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Model {
    /// The logit of names without any difference.
    pub constant: f32,
    /// One for each of [`Features::terms`].
    pub weights: [f32; FEATURES],
}

impl Default for Model {
    fn default() -> Self {
        Self { constant: 3.237, weights: [-5.881, -4.888, -0.507, -0.115, -0.05, -0.3, -0.05, -3.087] }
    }
}

impl Model {
    /// Log odds of a match.
    #[must_use]
    pub fn logit(&self, features: &Features) -> f32 {
        self.constant + self.weights.iter().zip(features.terms()).map(|(weight, term)| weight * term).sum::<f32>()
    }

    /// From log odds to a probability between 0 and 1, both excluded.
    #[must_use]
    pub fn probability(&self, logit: f32) -> f32 {
        1.0 / (1.0 + (-logit.clamp(-15.0, 15.0)).exp())
    }

    /// From a probability to log odds.
    #[must_use]
    pub fn logit_of(probability: f32) -> f32 {
        let bounded = probability.clamp(1e-6, 1.0 - 1e-6);
        (bounded / (1.0 - bounded)).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_lowers_and_equal_names_stay_below_one() {
        let model = Model::default();
        assert!(model.weights.iter().all(|weight| *weight < 0.0));
        let best = model.probability(model.logit(&Features { matched: 20.0, ..Features::default() }));
        assert!((0.9..1.0).contains(&best), "{best}");
    }

    #[test]
    fn more_in_common_never_lowers_and_more_difference_never_raises() {
        let model = Model::default();
        let base = Features { matched: 1.5, conflict: 0.2, missing: 0.4, ..Features::default() };
        let logit = |features: Features| model.logit(&features);
        assert!(logit(Features { matched: 1.6, ..base }) >= logit(base));
        for worse in [
            Features { conflict: 0.3, ..base },
            Features { missing: 0.5, ..base },
            Features { initials: 1.0, ..base },
            Features { reordered: 1.0, ..base },
            Features { rewritten: 1.0, ..base },
            Features { native: 1.0, ..base },
        ] {
            assert!(logit(worse) < logit(base), "{worse:?}");
        }
    }

    #[test]
    fn log_odds_and_probabilities_are_inverse() {
        let model = Model::default();
        for probability in [0.01, 0.3, 0.7, 0.99] {
            assert!((model.probability(Model::logit_of(probability)) - probability).abs() < 1e-4);
        }
    }
}
