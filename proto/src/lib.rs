//! The messages of Rådslag, their conversion to the domain, and the mapping of reasons to gRPC statuses. No IO.

/// `radslag.event`: what an author signs.
pub mod event {
    /// Generated from `proto/radslag/event/v1`, where every field is documented.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    pub mod v1 {
        tonic::include_proto!("radslag.event.v1");
    }
}
/// `radslag.log`: what a log holds.
pub mod log {
    /// Generated from `proto/radslag/log/v1`, where every field is documented.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    pub mod v1 {
        tonic::include_proto!("radslag.log.v1");
    }
}
/// `radslag.api`: resources and services.
pub mod api {
    /// Generated from `proto/radslag/api/v1`, where every field is documented.
    #[allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::pedantic,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    pub mod v1 {
        tonic::include_proto!("radslag.api.v1");
    }
}

pub mod convert;
pub mod limits;
pub mod status;
pub mod upcast;

/// The compiled `.proto` files, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
