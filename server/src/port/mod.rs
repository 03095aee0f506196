//! The open port: who may connect, how long they may be silent, and what their calls may hold.
//!
//! From a foreign network comes anything. Whoever connects gets a [`Line`], which counts them and knows when they are due; whoever calls
//! passes the [`Gate`], which counts that. What a call means is not looked at here.

mod budget;
mod gate;
mod incoming;
mod line;
mod serve;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use crate::error::StartError;
use crate::limits::Limits;
use budget::Budget;

pub(crate) use gate::Gate;
pub(crate) use incoming::Incoming;
pub(crate) use line::Line;
pub(crate) use serve::serve;

/// What the process needs for itself of the descriptors that it may have open: the store, the log, the runtime.
const OWN_DESCRIPTORS: usize = 64;

/// The fewest that a server starts with: what it has open itself by then, and some callers.
const FEWEST_DESCRIPTORS: usize = 32;

/// What somebody met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    /// Connections in all.
    Connections,
    /// Connections from one address.
    ConnectionsPerAddress,
    /// The TLS handshake did not come to its end.
    Handshake,
    /// The first call did not come.
    FirstCall,
    /// No call was under way for long.
    Idle,
    /// An answer was not taken.
    AnswerNotTaken,
    /// Calls given up before they were answered.
    Resets,
    /// Calls in all.
    Calls,
    /// Calls from one address.
    CallsPerAddress,
    /// What requests and answers hold.
    InFlight,
    /// The size of a request.
    RequestSize,
    /// The time of a call.
    CallTime,
}

impl Limit {
    /// Every limit, in the order of its numbers.
    pub(crate) const ALL: [Self; 12] = [
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Handshake,
        Self::FirstCall,
        Self::Idle,
        Self::AnswerNotTaken,
        Self::Resets,
        Self::Calls,
        Self::CallsPerAddress,
        Self::InFlight,
        Self::RequestSize,
        Self::CallTime,
    ];

    /// Its name in logs and metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Handshake => "handshake",
            Self::FirstCall => "first_call",
            Self::Idle => "idle",
            Self::AnswerNotTaken => "answer_not_taken",
            Self::Resets => "resets",
            Self::Calls => "calls",
            Self::CallsPerAddress => "calls_per_address",
            Self::InFlight => "in_flight",
            Self::RequestSize => "request_size",
            Self::CallTime => "call_time",
        }
    }
}

/// What all connections share.
pub(crate) struct Port {
    limits: Limits,
    connections: Arc<Budget>,
    calls: Arc<Budget>,
    bytes: Arc<Budget>,
    // Held for the look-up alone; an address goes when its last connection does.
    addresses: Mutex<BTreeMap<IpAddr, Weak<Address>>>,
    met: [AtomicU64; Limit::ALL.len()],
    failed_handshakes: AtomicU64,
}

/// One address that connections come from.
struct Address {
    port: Weak<Port>,
    ip: IpAddr,
    connections: Arc<Budget>,
    calls: Arc<Budget>,
}

impl Port {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let limits = Limits { connections: fewer_than_descriptors(limits.connections), ..limits.clone() };
        Arc::new(Self {
            connections: Budget::new(limits.connections),
            calls: Budget::new(limits.calls),
            bytes: Budget::new(limits.in_flight_mib.saturating_mul(1 << 20)),
            addresses: Mutex::default(),
            met: Default::default(),
            failed_handshakes: AtomicU64::new(0),
            limits,
        })
    }

    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts that somebody met a limit.
    fn meet(&self, limit: Limit) {
        self.met[limit as usize].fetch_add(1, Ordering::Relaxed);
        tracing::debug!(limit = limit.name(), "somebody met a limit");
    }

    /// How often each limit was met.
    pub(crate) fn met(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL.into_iter().zip(&self.met).map(|(limit, met)| (limit, met.load(Ordering::Relaxed)))
    }

    /// Counts a TLS handshake that failed: a client that does not trust the certificate, or no TLS at all.
    fn fail_handshake(&self) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    /// How many TLS handshakes failed.
    pub(crate) fn failed_handshakes(&self) -> u64 {
        self.failed_handshakes.load(Ordering::Relaxed)
    }

    /// How many connections are open.
    pub(crate) fn open_connections(&self) -> usize {
        self.connections.used()
    }

    /// How many calls are under way.
    pub(crate) fn open_calls(&self) -> usize {
        self.calls.used()
    }

    /// How many bytes requests and answers hold.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.bytes.used()
    }

    const fn call_time(&self) -> Duration {
        Duration::from_millis(self.limits.call_ms)
    }

    /// Lets somebody in who connects from `ip`.
    fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Arc<Line>, Limit> {
        let all = self.connections.take(1).ok_or(Limit::Connections)?;
        let address = self.address(ip);
        let own = address.connections.take(1).ok_or(Limit::ConnectionsPerAddress)?;
        Ok(Line::new(Arc::clone(self), address, [all, own]))
    }

    fn address(self: &Arc<Self>, ip: IpAddr) -> Arc<Address> {
        let ip = network(ip);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = addresses.get(&ip).and_then(Weak::upgrade) {
            return address;
        }
        let address = Arc::new(Address {
            port: Arc::downgrade(self),
            ip,
            connections: Budget::new(self.limits.connections_per_address),
            calls: Budget::new(self.limits.calls_per_address),
        });
        addresses.insert(ip, Arc::downgrade(&address));
        address
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let Some(port) = self.port.upgrade() else { return };
        let mut addresses = port.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may have come from it again meanwhile.
        if addresses.get(&self.ip).is_some_and(|address| address.strong_count() == 0) {
            addresses.remove(&self.ip);
        }
    }
}

/// What counts as one address: whoever has an IPv6 address has as many as they like of its 64 bits.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
    }
}

/// So many connections, or fewer where the process may not have so much open.
fn fewer_than_descriptors(connections: usize) -> usize {
    let Some(descriptors) = descriptors() else { return connections };
    let room = descriptors.saturating_sub(OWN_DESCRIPTORS).max(descriptors / 2);
    if room < connections {
        tracing::warn!(
            connections = room,
            wanted = connections,
            descriptors,
            "fewer connections than limits.connections says: this process may not have more open; see ulimit -n or LimitNOFILE"
        );
    }
    connections.min(room)
}

/// Refuses to start where the process may have too little open for a server: it would fail somewhere in the middle.
///
/// # Errors
/// [`StartError::TooFewDescriptors`].
pub fn check_descriptors() -> Result<(), StartError> {
    match descriptors() {
        Some(most) if most < FEWEST_DESCRIPTORS => {
            Err(StartError::TooFewDescriptors { most, needed: FEWEST_DESCRIPTORS })
        }
        _ => Ok(()),
    }
}

/// How many descriptors this process may have open; none where there is no limit.
#[cfg(unix)]
fn descriptors() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

#[cfg(not(unix))]
fn descriptors() -> Option<usize> {
    None
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn port(limits: &Limits) -> Arc<Port> {
        Port::new(limits)
    }

    #[tokio::test]
    async fn places_are_counted_in_all_and_per_address_and_come_back() {
        let port = port(&Limits { connections: 3, connections_per_address: 2, ..Limits::default() });
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let first = port.admit(ip("192.0.2.1")).unwrap();
        let second = port.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(port.admit(ip("192.0.2.1")).err(), Some(Limit::ConnectionsPerAddress));
        assert_eq!(port.open_connections(), 2, "who was turned away has no place");
        let other = port.admit(ip("2001:db8::1")).unwrap();
        assert_eq!(port.admit(ip("192.0.2.9")).err(), Some(Limit::Connections));
        drop(second);
        let again = port.admit(ip("192.0.2.1")).unwrap();
        drop((first, again, other));
        assert_eq!(port.open_connections(), 0);
        assert!(port.addresses.lock().unwrap().is_empty(), "nothing is kept of who has gone");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let ip = |text: &str| network(text.parse::<IpAddr>().unwrap());
        assert_eq!(ip("2001:db8::1"), ip("2001:db8::ffff:2"));
        assert_ne!(ip("2001:db8::1"), ip("2001:db8:0:1::1"));
        assert_ne!(ip("192.0.2.1"), ip("192.0.2.2"));
    }

    #[test]
    fn every_limit_has_its_own_number_and_name() {
        for (number, limit) in Limit::ALL.into_iter().enumerate() {
            assert_eq!(limit as usize, number);
        }
        let names: std::collections::BTreeSet<_> = Limit::ALL.iter().map(|limit| limit.name()).collect();
        assert_eq!(names.len(), Limit::ALL.len());
    }
}
