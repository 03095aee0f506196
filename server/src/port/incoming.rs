//! Taking connections, whatever happens: who is over a limit is turned away, and a process that has no descriptor left waits for one.

use std::future::Future as _;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep};
use tokio_stream::Stream;

use super::{Line, Port};

/// How long it waits after taking failed, at first and at most. Each failure in a row doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// So many are turned away before others have their turn.
const IN_A_ROW: usize = 64;
/// How often the log says the same.
const SELDOM: Duration = Duration::from_secs(30);

/// Where connections come from.
pub(crate) trait Listener {
    /// The next connection.
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>>;
}

impl Listener for TcpListener {
    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        Self::poll_accept(self, context)
    }
}

/// The connections that are let in. It never ends and never fails.
pub(crate) struct Incoming<L> {
    listener: L,
    port: Arc<Port>,
    pause: Option<Pin<Box<Sleep>>>,
    next_pause: Duration,
    failures: Seldom,
    turned_away: Seldom,
}

impl<L: Listener> Incoming<L> {
    pub(crate) fn new(listener: L, port: Arc<Port>) -> Self {
        let (failures, turned_away) = (Seldom::default(), Seldom::default());
        Self { listener, port, pause: None, next_pause: FIRST_PAUSE, failures, turned_away }
    }

    /// Lets somebody in, or turns them away: then their socket is closed at once.
    fn admit(&mut self, io: TcpStream, from: SocketAddr) -> Option<(TcpStream, Arc<Line>)> {
        match self.port.admit(from.ip()) {
            Ok(line) => {
                if let Err(error) = io.set_nodelay(true) {
                    tracing::debug!(%error, "a connection is gone before it began");
                }
                Some((io, line))
            }
            Err(limit) => {
                self.port.meet(limit);
                self.turned_away.warn(|times| {
                    let (limit, connections) = (limit.name(), self.port.open_connections());
                    tracing::warn!(limit, times, connections, %from, "connections are turned away");
                });
                None
            }
        }
    }

    /// Waits, and says so once in a while: what is missing comes back when a connection ends.
    fn pause(&mut self, error: &io::Error) {
        self.failures.warn(|times| {
            tracing::warn!(%error, times, "no connection can be taken for now; those that are open go on");
        });
        self.pause = Some(Box::pin(tokio::time::sleep(self.next_pause)));
        self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
    }
}

impl<L: Listener + Unpin> Stream for Incoming<L> {
    type Item = (TcpStream, Arc<Line>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let me = &mut *self;
        for _ in 0..IN_A_ROW {
            if let Some(pause) = &mut me.pause {
                std::task::ready!(pause.as_mut().poll(context));
                me.pause = None;
            }
            match std::task::ready!(me.listener.poll_accept(context)) {
                Ok((io, from)) => {
                    me.next_pause = FIRST_PAUSE;
                    if let Some(conn) = me.admit(io, from) {
                        return Poll::Ready(Some(conn));
                    }
                }
                Err(error) if is_about_one(&error) => tracing::debug!(%error, "somebody left at the door"),
                Err(error) => me.pause(&error),
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether it is the connection's own fault, so that the next may be better.
fn is_about_one(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, Interrupted, TimedOut, WouldBlock};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | BrokenPipe | Interrupted | WouldBlock | TimedOut
    )
}

/// Says the same thing once in a while, with how often it was so since.
#[derive(Default)]
struct Seldom {
    said: Option<Instant>,
    times: u64,
}

impl Seldom {
    fn warn(&mut self, say: impl FnOnce(u64)) {
        self.times += 1;
        if self.said.is_none_or(|said| said.elapsed() >= SELDOM) {
            say(self.times);
            *self = Self { said: Some(Instant::now()), times: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use tokio_stream::StreamExt as _;

    use super::super::tests::port;
    use super::*;
    use crate::limits::Limits;

    /// A listener that fails as it is told before it takes what comes.
    struct Failing(TcpListener, VecDeque<io::Error>);

    impl Listener for Failing {
        fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
            match self.1.pop_front() {
                Some(error) => Poll::Ready(Err(error)),
                None => self.0.poll_accept(context),
            }
        }
    }

    async fn bound() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    #[tokio::test]
    async fn a_process_without_descriptors_goes_on_when_it_has_some_again() {
        const TOO_MANY_OPEN_FILES: i32 = 24;
        let (listener, address) = bound().await;
        let full = || io::Error::from_raw_os_error(TOO_MANY_OPEN_FILES);
        let errors = [full(), io::ErrorKind::ConnectionAborted.into(), full(), full()];
        let mut incoming = Incoming::new(Failing(listener, errors.into()), port(&Limits::default()));
        let began = Instant::now();
        let _client = TcpStream::connect(address).await.unwrap();
        let conn = incoming.next().await.unwrap();
        assert!(incoming.listener.1.is_empty());
        assert!(began.elapsed() >= FIRST_PAUSE + FIRST_PAUSE * 2 + FIRST_PAUSE * 4, "it spins");
        assert_eq!(incoming.next_pause, FIRST_PAUSE, "the next failure begins anew");
        drop(conn);
    }

    #[tokio::test]
    async fn many_who_are_turned_away_in_a_row_do_not_end_it() {
        use tokio::io::AsyncReadExt as _;
        let (listener, address) = bound().await;
        let mut incoming = Incoming::new(listener, port(&Limits { connections: 1, ..Limits::default() }));
        let _first = TcpStream::connect(address).await.unwrap();
        let conn = incoming.next().await.unwrap();
        let taking = tokio::spawn(async move { incoming.next().await.unwrap() });
        for _ in 0..IN_A_ROW + 10 {
            let mut turned_away = TcpStream::connect(address).await.unwrap();
            let end = turned_away.read(&mut [0]).await;
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
        }
        drop(conn);
        let _next = TcpStream::connect(address).await.unwrap();
        taking.await.unwrap();
    }
}
