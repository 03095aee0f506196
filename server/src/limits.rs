//! How much a server lets others take of it. `docs/limits.md` says of each what a caller sees who meets it.

use serde::Deserialize;

use crate::config::{ConfigError, Layers, parsed, within};

/// A limit, for people.
pub(crate) struct About {
    /// Its key in the table.
    pub(crate) key: &'static str,
    /// The most that may be set.
    pub(crate) most: u64,
    /// What it limits.
    pub(crate) what: &'static str,
}

/// Declares every limit once: its unit and meaning, its default, and the most that may be set. The least is 1.
macro_rules! limits {
    ($($(#[doc = $doc:literal])* $key:ident: $type:ty = $default:expr, up to $most:expr;)*) => {
        /// The limits in force.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])* pub $key: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        /// What the table `limits` of a file says; absent where it says nothing.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct LimitSettings {
            $(/// The limit of this name.
            pub $key: Option<$type>,)*
        }

        /// What each limit is, in the order of the file.
        pub(crate) const ABOUT: &[About] =
            &[$(About { key: stringify!($key), most: $most as u64, what: concat!($($doc),*) },)*];

        /// Settles each limit: a variable over the file over what is built in. There are no flags for them.
        pub(crate) fn settle(layers: &mut Layers<'_>, file: &LimitSettings) -> Result<Limits, ConfigError> {
            let built_in = Limits::default();
            let settled = Limits {
                $($key: {
                    let key = concat!("limits.", stringify!($key));
                    let value = layers.pick(key, None, file.$key, built_in.$key, &parsed)?;
                    layers.check(key, within(value, $most))?;
                    value
                },)*
            };
            Ok(settled)
        }
    };
}

limits! {
    /// Connections in all. Also held below what the process may have open, less what it needs itself.
    connections: usize = 768, up to 65_536;
    /// Connections from one address; an IPv6 network of 64 bits counts as one.
    connections_per_address: usize = 512, up to 65_536;
    /// Calls under way on one connection. Further ones wait at the client.
    streams_per_connection: u32 = 128, up to 65_536;
    /// Calls under way in all, streams among them.
    calls: usize = 4_096, up to 1_048_576;
    /// Calls under way from one address.
    calls_per_address: usize = 2_048, up to 1_048_576;
    /// What requests under way may hold in all, in MiB.
    in_flight_mib: usize = 64, up to 65_536;
    /// The header of a request, in bytes.
    header_bytes: u32 = 16_384, up to 1_048_576;
    /// How many calls one connection may give up before they are answered.
    resets: usize = 256, up to 1_048_576;
    /// How long a connection may take for its TLS handshake, in milliseconds.
    handshake_ms: u64 = 5_000, up to 3_600_000;
    /// How long a connection may take to make its first call, in milliseconds.
    first_call_ms: u64 = 10_000, up to 3_600_000;
    /// How long a connection may have no call under way, in milliseconds.
    idle_ms: u64 = 300_000, up to 86_400_000;
    /// How long a call may take until its answer begins, and an answer that is no stream until it is taken, in milliseconds.
    call_ms: u64 = 60_000, up to 3_600_000;
}
