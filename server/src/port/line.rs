//! One connection: which calls are under way on it, and when it is due to be closed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::budget::Taken;
use super::{Address, Limit, Port};

/// A connection that was let in.
pub(crate) struct Line {
    port: Arc<Port>,
    address: Arc<Address>,
    _places: [Taken; 2],
    // Touched by the connection and by each of its calls, for a moment.
    state: Mutex<State>,
    sooner: Notify,
}

struct State {
    /// Whether a call has come.
    spoke: bool,
    /// Since when no call is under way, while none is.
    quiet: Instant,
    /// How many are under way.
    calls: usize,
    /// The number of the next call.
    next: u64,
    /// Since when each call waits whose answer is to be taken in time.
    waiting: BTreeMap<u64, Instant>,
    /// How many were given up before they were answered.
    given_up: usize,
    /// When somebody looks next whether it is due; none while they wait to be told.
    looked_at: Option<Instant>,
}

/// How a call ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// With one message, which is to be taken in time.
    Once,
    /// With many, each of which is to be taken in time.
    Download,
    /// With many, whenever the caller likes.
    Stream,
    /// The same, out of blocks that are lent: they are held by whoever lends them.
    Lent,
}

impl Line {
    pub(super) fn new(port: Arc<Port>, address: Arc<Address>, places: [Taken; 2]) -> Arc<Self> {
        let state = State {
            spoke: false,
            quiet: Instant::now(),
            calls: 0,
            next: 0,
            waiting: BTreeMap::new(),
            given_up: 0,
            looked_at: None,
        };
        Arc::new(Self { port, address, _places: places, state: Mutex::new(state), sooner: Notify::new() })
    }

    pub(super) const fn port(&self) -> &Arc<Port> {
        &self.port
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When it is to be closed, and for what; none while it may go on.
    fn due(&self, state: &State) -> Option<(Instant, Limit)> {
        let limits = self.port.limits();
        if state.given_up > limits.resets {
            return Some((state.quiet, Limit::Resets));
        }
        if let Some(since) = state.waiting.values().min() {
            return Some((*since + self.port.call_time() * 2, Limit::AnswerNotTaken));
        }
        if state.calls > 0 {
            return None;
        }
        let (patience, limit) = if state.spoke {
            (limits.idle_ms, Limit::Idle)
        } else {
            (limits.first_call_ms, Limit::FirstCall)
        };
        Some((state.quiet + Duration::from_millis(patience), limit))
    }

    /// Waits until it is due; says for what.
    pub(super) async fn overdue(&self) -> Limit {
        loop {
            let due = {
                let mut state = self.state();
                let due = self.due(&state);
                state.looked_at = due.map(|(due, _)| due);
                due
            };
            let Some((due, limit)) = due else {
                self.sooner.notified().await;
                continue;
            };
            if due <= Instant::now() {
                return limit;
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.sooner.notified() => {}
            }
        }
    }

    /// After something changed: tells whoever waits when it is due before they would look. What is due later, they find when they do.
    fn changed(&self, state: &State) {
        if let Some((due, _)) = self.due(state)
            && state.looked_at.is_none_or(|at| due < at)
        {
            self.sooner.notify_one();
        }
    }

    /// Whether a call has come.
    pub(super) fn spoke(&self) -> bool {
        self.state().spoke
    }

    /// A call begins.
    pub(super) fn begin(self: &Arc<Self>, answer: Answer) -> Result<Call, Limit> {
        let mut state = self.state();
        state.spoke = true;
        if state.calls == 0 {
            // Turned away, it was a sign of life all the same.
            state.quiet = Instant::now();
        }
        let all = self.port.calls.take(1).ok_or(Limit::Calls)?;
        let own = self.address.calls.take(1).ok_or(Limit::CallsPerAddress)?;
        let number = state.next;
        state.next += 1;
        state.calls += 1;
        if matches!(answer, Answer::Once | Answer::Download) {
            state.waiting.insert(number, Instant::now());
        }
        self.changed(&state);
        drop(state);
        Ok(Call { line: Arc::clone(self), number, answered: false, _places: [all, own] })
    }

    fn end(&self, number: u64, answered: bool) {
        let mut state = self.state();
        state.calls -= 1;
        state.waiting.remove(&number);
        if !answered {
            state.given_up += 1;
        }
        if state.calls == 0 {
            state.quiet = Instant::now();
        }
        self.changed(&state);
    }
}

/// A call under way. It is over when this is dropped.
pub(super) struct Call {
    line: Arc<Line>,
    number: u64,
    answered: bool,
    _places: [Taken; 2],
}

impl Call {
    /// Its answer has begun: from here on, whoever leaves has not given it up.
    pub(super) const fn answered(&mut self) {
        self.answered = true;
    }

    /// What was sent of its answer was taken: it waits anew.
    pub(super) fn taken(&self) {
        if let Some(since) = self.line.state().waiting.get_mut(&self.number) {
            *since = Instant::now();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.line.end(self.number, self.answered);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::port;
    use super::*;
    use crate::limits::Limits;

    fn line(limits: &Limits) -> Arc<Line> {
        port(limits).admit([192, 0, 2, 1].into()).unwrap()
    }

    fn due(line: &Line) -> Option<(Duration, Limit)> {
        let (due, limit) = line.due(&line.state())?;
        Some((due - Instant::now(), limit))
    }

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_due_by_its_first_call_then_by_its_answers_then_by_its_silence() {
        let limits = Limits { first_call_ms: 10, idle_ms: 300, call_ms: 60, ..Limits::default() };
        let line = line(&limits);
        assert_eq!(due(&line), Some((ms(10), Limit::FirstCall)));
        let mut first = line.begin(Answer::Once).unwrap();
        tokio::time::advance(ms(50)).await;
        let stream = line.begin(Answer::Stream).unwrap();
        let mut second = line.begin(Answer::Download).unwrap();
        assert_eq!(due(&line), Some((ms(70), Limit::AnswerNotTaken)), "the oldest counts");
        first.answered();
        drop(first);
        assert_eq!(due(&line), Some((ms(120), Limit::AnswerNotTaken)));
        tokio::time::advance(ms(100)).await;
        second.answered();
        second.taken();
        assert_eq!(due(&line), Some((ms(120), Limit::AnswerNotTaken)), "who takes some of it has time anew");
        drop(second);
        assert_eq!(due(&line), None, "a stream lasts as long as it likes");
        tokio::time::advance(ms(1_000)).await;
        drop(stream);
        assert_eq!(due(&line), Some((ms(300), Limit::Idle)));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_until_it_is_due_hears_of_what_comes_sooner_and_not_of_what_comes_later() {
        let limits = Limits { first_call_ms: 10, idle_ms: 300, call_ms: 60, ..Limits::default() };
        let line = line(&limits);
        let waiting = tokio::spawn({
            let line = Arc::clone(&line);
            async move { (line.overdue().await, Instant::now()) }
        });
        tokio::time::sleep(ms(9)).await;
        let stream = line.begin(Answer::Stream).unwrap();
        tokio::time::sleep(ms(1_000)).await;
        let mut call = line.begin(Answer::Once).unwrap();
        tokio::time::sleep(ms(10)).await;
        call.answered();
        drop(call);
        tokio::time::sleep(ms(1_000)).await;
        assert!(!waiting.is_finished(), "a stream is under way");
        drop(stream);
        let quiet = Instant::now();
        let (limit, when) = waiting.await.unwrap();
        assert_eq!((limit, when - quiet), (Limit::Idle, ms(300)));
    }

    #[tokio::test]
    async fn who_gives_up_too_often_is_due_at_once() {
        let line = line(&Limits { resets: 2, ..Limits::default() });
        for _ in 0..2 {
            drop(line.begin(Answer::Once).unwrap());
            assert_eq!(due(&line).map(|(_, limit)| limit), Some(Limit::Idle));
        }
        drop(line.begin(Answer::Once).unwrap());
        assert_eq!(line.overdue().await, Limit::Resets);
    }

    #[tokio::test]
    async fn calls_are_counted_over_all_connections_of_an_address() {
        let port = port(&Limits { calls: 3, calls_per_address: 2, ..Limits::default() });
        let [one, two, other] =
            [[192, 0, 2, 1], [192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| port.admit(ip.into()).unwrap());
        let first = one.begin(Answer::Once).unwrap();
        let second = two.begin(Answer::Once).unwrap();
        assert_eq!(one.begin(Answer::Once).err(), Some(Limit::CallsPerAddress));
        let third = other.begin(Answer::Once).unwrap();
        assert_eq!(other.begin(Answer::Once).err(), Some(Limit::Calls));
        drop((first, second, third));
        assert_eq!(port.open_calls(), 0);
        one.begin(Answer::Once).unwrap();
    }
}
