//! Compiles the `.proto` files with protox, so that no protoc is needed, and keeps the descriptor set for
//! reflection.

use std::error::Error;
use std::path::PathBuf;

const FILES: &[&str] = &[
    "radslag/event/v1/change.proto",
    "radslag/event/v1/event.proto",
    "radslag/log/v1/log.proto",
    "radslag/log/v1/snapshot.proto",
    "radslag/log/v1/cache.proto",
    "radslag/log/v1/backup.proto",
    "radslag/api/v1/common.proto",
    "radslag/api/v1/program.proto",
    "radslag/api/v1/sync.proto",
    "radslag/api/v1/audit.proto",
    "radslag/api/v1/admin.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=radslag");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&descriptors))?;
    tonic_prost_build::configure().build_transport(true).compile_fds(descriptors)?;
    Ok(())
}
