//! A bad network: a proxy before the server that delays, cuts, half-closes, stalls and repeats what passes through it.
//!
//! Faults are asked for one by one ([`Proxy::next`]) or drawn from a seed ([`Proxy::storm`]). Tests wait for what has happened
//! to the network ([`Proxy::until`]), never for time to pass.

mod frames;
mod passage;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::dice::Dice;
use frames::Frames;
use passage::{Passage, Then};

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// What the client says.
    ToServer,
    /// What the server says.
    ToClient,
}

/// What happens to one connection.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Whatever passes waits this long first.
    Delay(Duration),
    /// After so many bytes this way, both ends are reset.
    CutAfter(Way, usize),
    /// After so many bytes this way, its receiver is told that there is nothing more.
    HalfCloseAfter(Way, usize),
    /// It is taken, and nothing passes until [`Proxy::release`].
    Stall,
    /// When it has ended, all that the client said is said to the server once more.
    Repeat,
    /// The call that carries these bytes reaches the server, which answers it in full; then both ends are reset and the
    /// client has not heard a byte of the answer.
    LoseAnswerTo(Vec<u8>),
    /// Both ends are reset while the server is saying these bytes.
    CutInside(Vec<u8>),
}

/// What has happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Connections that were taken.
    pub taken: usize,
    /// Connections that ended by a cut.
    pub cut: usize,
    /// Connections that were half-closed.
    pub half_closed: usize,
    /// Connections that were held back at first.
    pub stalled: usize,
    /// Calls whose answer was lost.
    pub answers_lost: usize,
    /// Connections that were said once more, to the last answer.
    pub repeated: usize,
}

struct Faults {
    next: VecDeque<Fault>,
    storm: Option<Dice>,
}

struct Shared {
    upstream: SocketAddr,
    // Locked for the drawing of one fault; tests and connections both draw from it.
    faults: Mutex<Faults>,
    seen: watch::Sender<Seen>,
    released: watch::Sender<bool>,
}

/// A proxy that runs. It ends with [`Proxy::stop`], or at once when it is dropped.
pub struct Proxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a port of loopback before the server at `url`. Must be called within a tokio runtime.
    ///
    /// # Panics
    /// The address is none, or there is no port to listen on.
    pub async fn before(url: &str) -> Self {
        let upstream = url.trim_start_matches("http://").parse().expect("the server's address is one");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let addr = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            upstream,
            faults: Mutex::new(Faults { next: VecDeque::new(), storm: None }),
            seen: watch::channel(Seen::default()).0,
            released: watch::channel(false).0,
        });
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(serve(listener, Arc::clone(&shared), stopped));
        Self { addr, shared, stop, task }
    }

    /// Its address, as clients take it.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What happens to the next connection that is made. Those after it take those asked for after it.
    pub fn next(&self, fault: Fault) {
        self.shared.faults().next.push_back(fault);
    }

    /// From now on connections have the faults of this seed.
    pub fn storm(&self, seed: u64) {
        self.shared.faults().storm = Some(Dice::new(seed));
    }

    /// From now on connections have no faults.
    pub fn calm(&self) {
        *self.shared.faults() = Faults { next: VecDeque::new(), storm: None };
    }

    /// Lets go of what is stalled, now and later.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// What has happened so far.
    pub fn seen(&self) -> Seen {
        *self.shared.seen.borrow()
    }

    /// Waits until enough has happened.
    ///
    /// # Panics
    /// The proxy ended before.
    pub async fn until(&self, enough: impl FnMut(&Seen) -> bool) -> Seen {
        *self.shared.seen.subscribe().wait_for(enough).await.expect("the proxy runs")
    }

    /// Ends every connection and waits until nothing of it runs any more.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // Fails only where it has panicked, which has been told.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // With the task goes its set of connections, and with the set each of them.
        self.task.abort();
    }
}

impl Shared {
    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().expect("nobody panics while drawing a fault")
    }

    fn note(&self, what: impl FnOnce(&mut Seen)) {
        self.seen.send_modify(what);
    }

    fn draw(&self) -> Option<Fault> {
        let mut faults = self.faults();
        faults.next.pop_front().or_else(|| faults.storm.as_mut().and_then(weather))
    }
}

/// What a storm brings to one connection. A greeting is about 200 bytes each way, a call several hundred.
fn weather(dice: &mut Dice) -> Option<Fault> {
    let way = dice.pick(&[Way::ToServer, Way::ToClient]);
    let bytes = if dice.chance(30) { 40 + dice.below(400) } else { 400 + dice.below(6000) };
    let millis = u64::try_from(1 + dice.below(15)).unwrap_or(1);
    match dice.below(10) {
        0..=3 => Some(Fault::CutAfter(way, bytes)),
        4..=5 => Some(Fault::HalfCloseAfter(way, bytes)),
        6..=7 => Some(Fault::Repeat),
        8 => Some(Fault::Delay(Duration::from_millis(millis))),
        _ => None,
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = connections.join_next() => {}
            taken = listener.accept() => {
                let Ok((client, _)) = taken else { continue };
                shared.note(|seen| seen.taken += 1);
                connections.spawn(connection(client, Arc::clone(&shared)));
            }
        }
    }
    connections.shutdown().await;
}

/// One connection from its beginning to its end. An error of either end is an end.
async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let fault = shared.draw();
    if matches!(fault, Some(Fault::Stall)) {
        shared.note(|seen| seen.stalled += 1);
        let mut released = shared.released.subscribe();
        if released.wait_for(|released| *released).await.is_err() {
            return;
        }
    }
    // A server that is away refuses the client too.
    let Ok(server) = TcpStream::connect(shared.upstream).await else { return };
    let repeats = matches!(fault, Some(Fault::Repeat));
    let mut passage = Passage::new(fault);
    let ended = carry(client, server, &mut passage, &shared).await;
    if passage.answer_lost() {
        shared.note(|seen| seen.answers_lost += 1);
    }
    if matches!(ended, Ok(Then::Cut)) {
        shared.note(|seen| seen.cut += 1);
    }
    if repeats && say_again(passage.said(), &shared).await.is_ok() {
        shared.note(|seen| seen.repeated += 1);
    }
}

async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    passage: &mut Passage,
    shared: &Shared,
) -> io::Result<Then> {
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    // Whether each way still has something to come.
    let (mut asking, mut answering) = (true, true);
    while asking || answering {
        let (way, read) = tokio::select! {
            read = client.read(&mut up), if asking => (Way::ToServer, read?),
            read = server.read(&mut down), if answering => (Way::ToClient, read?),
        };
        let (to, from, open) = match way {
            Way::ToServer => (&mut server, &up, &mut asking),
            Way::ToClient => (&mut client, &down, &mut answering),
        };
        if read == 0 {
            *open = false;
            to.shutdown().await?;
            continue;
        }
        let (pass, then) = passage.take(way, &from[..read]);
        if let Some(delay) = passage.delay() {
            tokio::time::sleep(delay).await;
        }
        to.write_all(&from[..pass]).await?;
        match then {
            Then::GoOn => {}
            Then::HalfClose => {
                shared.note(|seen| seen.half_closed += 1);
                to.shutdown().await?;
            }
            Then::Cut => {
                client.set_zero_linger()?;
                server.set_zero_linger()?;
                return Ok(Then::Cut);
            }
        }
    }
    Ok(Then::GoOn)
}

/// Says everything to the server once more and hears every call's answer to its end.
async fn say_again(said: &[u8], shared: &Shared) -> io::Result<()> {
    let mut calls = Frames::of_client();
    let calls = calls.feed(said).iter().filter(|frame| frame.opens_stream()).count();
    let mut server = TcpStream::connect(shared.upstream).await?;
    server.write_all(said).await?;
    let (mut frames, mut buffer, mut answered) = (Frames::of_server(), vec![0; 16 * 1024], 0);
    while answered < calls {
        let read = server.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        answered += frames.feed(&buffer[..read]).iter().filter(|frame| frame.ends_stream()).count();
    }
    Ok(())
}
