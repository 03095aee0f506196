//! How an outbox is cut into pushes: in order, within the format's limits, and never through a group.

use radslag_core::id::GroupId;

/// The most events in a push.
pub const PUSH_EVENTS: usize = 500;
/// The most bytes of bodies and values in a push.
pub const PUSH_BYTES: usize = 1 << 20;

/// What cutting needs to know of a row.
#[derive(Clone, Copy, Debug)]
pub struct RowSize {
    /// Bytes of body and values.
    pub bytes: usize,
    /// The group it belongs to.
    pub group: Option<GroupId>,
}

/// How many of the first rows go into the next push: as many as fit, at least one row or one whole group.
pub fn next_push(rows: &[RowSize], most_events: usize, most_bytes: usize) -> usize {
    let mut taken = 0;
    let mut bytes = 0;
    while taken < rows.len() {
        let unit = unit_length(&rows[taken..]);
        let size: usize = rows[taken..taken + unit].iter().map(|row| row.bytes).sum();
        let full = taken + unit > most_events || bytes + size > most_bytes;
        if taken > 0 && full {
            break;
        }
        taken += unit;
        bytes += size;
    }
    taken
}

fn unit_length(rows: &[RowSize]) -> usize {
    match rows[0].group {
        None => 1,
        Some(group) => rows.iter().take_while(|row| row.group == Some(group)).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(id: u8) -> Option<GroupId> {
        (id > 0).then(|| GroupId::from_slice(&[id; 16]).unwrap())
    }

    proptest! {
        #[test]
        fn every_row_is_pushed_once_in_order_and_no_group_is_cut(
            sizes in prop::collection::vec((1usize..400, 0u8..4), 0..60)
        ) {
            let rows: Vec<RowSize> = sizes.iter().map(|(bytes, id)| RowSize { bytes: *bytes, group: group(*id) }).collect();
            let mut at = 0;
            while at < rows.len() {
                let count = next_push(&rows[at..], 10, 1000);
                prop_assert!(count > 0);
                let end = at + count;
                if end < rows.len() {
                    let cut = rows[end - 1].group.is_some() && rows[end - 1].group == rows[end].group;
                    prop_assert!(!cut);
                }
                at = end;
            }
            prop_assert_eq!(at, rows.len());
        }
    }
}
