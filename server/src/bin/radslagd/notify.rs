//! Tells a service manager that asks for it (`NOTIFY_SOCKET`, as systemd with `Type=notify`) that the server is ready, or stops.

/// It answers.
pub(crate) const READY: &str = "READY=1";
/// It ends.
pub(crate) const STOPPING: &str = "STOPPING=1";

/// Tells it, if there is one. One that does not hear it finds out in other ways.
#[cfg(unix)]
pub(crate) fn tell(what: &str) {
    use std::os::unix::net::UnixDatagram;
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let told = UnixDatagram::unbound().and_then(|socket| send(&socket, &path, what));
    if let Err(error) = told {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// A name that begins with `@` is no file, but one of Linux's abstract names.
#[cfg(target_os = "linux")]
fn send(
    socket: &std::os::unix::net::UnixDatagram,
    path: &std::ffi::OsStr,
    what: &str,
) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::SocketAddr;
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.send_to_addr(what.as_bytes(), &SocketAddr::from_abstract_name(name)?),
        None => socket.send_to(what.as_bytes(), path),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn send(
    socket: &std::os::unix::net::UnixDatagram,
    path: &std::ffi::OsStr,
    what: &str,
) -> std::io::Result<usize> {
    socket.send_to(what.as_bytes(), path)
}

#[cfg(not(unix))]
pub(crate) fn tell(_: &str) {}
