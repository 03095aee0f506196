//! The control socket in the data directory, on which a running server reads its log out to `radslagd backup`.
//!
//! The store has one user at a time, so that only the server itself can read it. Who may open the socket is decided by the file system
//! (0600, in a directory that is 0700), and the kernel's word for who is at the other end is asked as well: the server's own user, or
//! root. One backup at a time; what is read out is held up by the reader's pace, and holds up nothing.

use std::fs;
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as Blocking;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message as _;
use radslag_log::LogError;
use radslag_proto::log::v1;
use radslag_proto::log::v1::backup_frame::Frame;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::backup::read_out;
use crate::host::Host;
use crate::recovery::RecoveryError;

/// The socket's name in the data directory.
const FILE: &str = "control";
/// What a client says first.
const BACKUP: &[u8] = b"backup\n";
/// How long a client may take to say it, and to take a frame.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client waits for a frame.
const SILENCE: Duration = Duration::from_secs(120);
/// The largest frame that a client takes: a part and one event more.
const FRAME_BYTES: u32 = 4 << 20;
/// How many parts wait for the socket.
const AHEAD: usize = 2;

/// The listening socket.
pub(crate) struct Control {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Control {
    /// Listens in `data`, whose store this process has open: a socket that is there is a predecessor's. Ends with the host.
    ///
    /// # Errors
    /// There is something else of that name, or the path is longer than a socket's may be (about 100 bytes).
    pub(crate) fn listen(data: &Path, host: &Arc<Host>) -> io::Result<Self> {
        let path = data.join(FILE);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
            fs::remove_file(&path)?;
        }
        let listener = UnixListener::bind(&path)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        let owner = fs::metadata(&path)?.uid();
        let host = Arc::clone(host);
        let task = tokio::spawn(async move {
            let mut stopping = host.stopping();
            tokio::select! {
                () = stopping.wait() => {}
                () = accept(&listener, &host, owner) => {}
            }
        });
        Ok(Self { path, task })
    }

    /// Waits until nobody is answered any more, and takes the socket away. The host must be stopping.
    pub(crate) async fn ended(self) {
        if self.task.await.is_err() {
            tracing::error!("the control socket ended badly");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, "the control socket is left behind; the next start takes it away");
        }
    }
}

async fn accept(listener: &UnixListener, host: &Host, owner: u32) {
    loop {
        let Some(stream) = next(listener).await else { continue };
        let mut served = pin!(serve(stream, host, owner));
        loop {
            tokio::select! {
                done = &mut served => {
                    if let Err(error) = done {
                        tracing::warn!(%error, "a backup was cut short");
                    }
                    break;
                }
                other = next(listener) => {
                    let busy = encode(Frame::Failed("another backup is under way".to_owned()));
                    // A socket that is new has room for a line; whoever went away needs none.
                    other.map(|other| other.try_write(&busy));
                }
            }
        }
    }
}

async fn next(listener: &UnixListener) -> Option<UnixStream> {
    match listener.accept().await {
        Ok((stream, _)) => Some(stream),
        Err(error) => {
            tracing::warn!(%error, "the control socket takes nobody");
            // Such as no more file descriptors: it would be so again at once.
            tokio::time::sleep(Duration::from_secs(1)).await;
            None
        }
    }
}

async fn serve(mut stream: UnixStream, host: &Host, owner: u32) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != owner && peer != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {peer} is not {owner}")));
    }
    let mut said = [0; BACKUP.len()];
    timeout(PATIENCE, stream.read_exact(&mut said)).await??;
    if said != *BACKUP {
        let unknown = encode(Frame::Failed("this release knows `backup` alone".to_owned()));
        return timeout(PATIENCE, stream.write_all(&unknown)).await?;
    }
    let Ok(engine) = host.engine() else { return Ok(()) };
    tracing::info!("a backup begins");
    let (sender, mut frames) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || {
        let read = read_out(engine.log().as_ref(), |frame| {
            sender.blocking_send(encode(frame)).map_err(|_| Cut::Gone)
        });
        if let Err(Cut::Log(error)) = read {
            tracing::error!(%error, "a backup cannot go on");
            // Whoever has gone hears nothing.
            let _ = sender.blocking_send(encode(Frame::Failed(error.to_string())));
        }
    });
    while let Some(frame) = frames.recv().await {
        timeout(PATIENCE, stream.write_all(&frame)).await??;
    }
    stream.shutdown().await?;
    reading.await.map_err(io::Error::other)?;
    tracing::info!("everything was read out for the backup");
    Ok(())
}

/// Why reading out ended.
enum Cut {
    /// Nobody takes it any more.
    Gone,
    /// The store does not answer.
    Log(LogError),
}

impl From<LogError> for Cut {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

/// A frame as it is sent: its length, u32 big endian, and itself.
fn encode(frame: Frame) -> Vec<u8> {
    let frame = v1::BackupFrame { frame: Some(frame) }.encode_to_vec();
    let length = u32::try_from(frame.len()).expect("a frame is about a part of a log, 1 MiB");
    [length.to_be_bytes().as_slice(), &frame].concat()
}

/// A connection to the server that runs on a data directory.
pub(crate) struct Client(Blocking);

impl Client {
    /// Connects to the server that runs on `data`; none where none does.
    pub(crate) fn connect(data: &Path) -> Option<Self> {
        // Without a server there is no socket, or one that nobody listens on.
        let stream = Blocking::connect(data.join(FILE)).ok()?;
        Some(Self(stream))
    }

    /// Has the log read out.
    ///
    /// # Errors
    /// The server goes away or cannot go on, or `each` does not take a frame.
    pub(crate) fn read_out(
        mut self,
        mut each: impl FnMut(Frame) -> Result<(), RecoveryError>,
    ) -> Result<(), RecoveryError> {
        let broken = |source| RecoveryError::BrokenOff { source };
        self.0.set_read_timeout(Some(SILENCE)).map_err(broken)?;
        let asked = self.0.write_all(BACKUP);
        let mut from = BufReader::new(self.0);
        loop {
            // A server that turns somebody away may be gone before the question arrives: what it said comes first.
            let frame = match read_frame(&mut from) {
                Err(error) => return Err(broken(asked.err().unwrap_or(error))),
                Ok(frame) => frame,
            };
            let whole = matches!(frame, Frame::Whole(_));
            each(frame)?;
            if whole {
                return Ok(());
            }
        }
    }
}

fn read_frame(from: &mut BufReader<Blocking>) -> io::Result<Frame> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > FRAME_BYTES {
        return Err(invalid("a frame is longer than any that this release sends"));
    }
    let mut bytes = Vec::new();
    from.take(length.into()).read_to_end(&mut bytes)?;
    let frame = v1::BackupFrame::decode(bytes.as_slice()).ok().and_then(|frame| frame.frame);
    frame.ok_or_else(|| invalid("a frame does not read"))
}
