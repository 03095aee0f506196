//! A long programme: municipalities that edit their activities in turn, all at once.

use radslag_client::remote::Remote;
use radslag_core::id::ProgramId;
use tokio::task::JoinSet;

use crate::Failed;
use crate::writer::Writer;

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fill {
    /// How many events the log has then, about.
    pub(crate) events: u64,
    /// How many municipalities write.
    pub(crate) writers: usize,
    /// How many activities each of them has, which is how many events a push holds; at most 500.
    pub(crate) activities: usize,
}

/// Writes a programme.
pub(crate) async fn write(remote: &Remote, fill: &Fill) -> Result<ProgramId, Failed> {
    let (mut first, subgoal) = Writer::begin(remote).await?;
    let program = first.program();
    let mut desks = Vec::with_capacity(fill.writers);
    for _ in 1..fill.writers {
        desks.push(first.join(remote, subgoal).await?);
    }
    first.look(remote).await?;
    desks.push(first);
    let (share, activities) = (fill.events / fill.writers as u64, fill.activities);
    let mut tasks = JoinSet::new();
    for mut desk in desks {
        let remote = remote.clone();
        tasks.spawn(async move {
            desk.add(&remote, subgoal, activities).await?;
            let mut left = share.saturating_sub(activities as u64);
            while left > 0 {
                let most = usize::try_from(left).unwrap_or(activities).min(activities);
                let events = desk.edit_all(most)?;
                desk.push(&remote, events).await?;
                left = left.saturating_sub(most as u64);
            }
            Ok::<(), Failed>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(program)
}
