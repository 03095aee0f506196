//! The laws of the fold and of the rules: properties over random histories, and one example for each sentence of the
//! model that a person would say aloud.

#![allow(clippy::unwrap_used, reason = "a test stops at what is not so, in its helpers too")]

mod laws {
    mod as_of;
    mod baselines;
    mod conflicts;
    mod dates;
    mod effective;
    mod facts;
    mod filter;
    mod folds;
    mod history;
    mod naive;
    mod nonsense;
    mod rules;
    mod town;
    mod vector;
}
