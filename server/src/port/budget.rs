//! A number of things that are given out and come back: connections, calls, bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many and no more.
#[derive(Debug)]
pub(crate) struct Budget {
    most: usize,
    used: AtomicUsize,
}

impl Budget {
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, used: AtomicUsize::new(0) })
    }

    /// How much is given out.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Takes so many; none where not all of them are there.
    pub(crate) fn take(self: &Arc<Self>, count: usize) -> Option<Taken> {
        let mut taken = Taken { budget: Arc::clone(self), count: 0 };
        taken.grow_to(count).then_some(taken)
    }
}

/// What was taken. It comes back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    budget: Arc<Budget>,
    count: usize,
}

impl Taken {
    /// Gives so many back.
    pub(crate) fn shrink_by(&mut self, less: usize) {
        let less = less.min(self.count);
        self.count -= less;
        self.budget.used.fetch_sub(less, Ordering::Relaxed);
    }

    /// Takes more until it is `count` in all; false, and nothing changes, where that is not there. Never gives any back.
    pub(crate) fn grow_to(&mut self, count: usize) -> bool {
        let Some(more) = count.checked_sub(self.count) else { return true };
        let most = self.budget.most;
        let grown = |used: usize| used.checked_add(more).filter(|sum| *sum <= most);
        let grown = self.budget.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, grown).is_ok();
        if grown {
            self.count = count;
        }
        grown
    }

    /// Takes so many more.
    pub(crate) fn grow_by(&mut self, more: usize) -> bool {
        self.grow_to(self.count.saturating_add(more))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gets_more_than_is_there_and_everything_comes_back() {
        let budget = Budget::new(10);
        let mut first = budget.take(6).unwrap();
        assert!(budget.take(5).is_none());
        assert_eq!(budget.used(), 6);
        assert!(first.grow_to(3) && first.grow_by(2));
        assert_eq!(budget.used(), 8);
        assert!(!first.grow_by(3) && !first.grow_by(usize::MAX));
        let mut second = budget.take(2).unwrap();
        second.shrink_by(1);
        assert_eq!(budget.used(), 9);
        assert!(second.grow_by(1));
        second.shrink_by(0);
        drop(first);
        assert_eq!(budget.used(), 2);
        drop(second);
        assert_eq!(budget.used(), 0);
    }
}
